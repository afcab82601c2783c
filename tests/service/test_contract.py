"""The reference's contract: names, types, tokens, one array; and the modern form beside it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from raw import logged

from facesieve import Pipeline

NAMES = {
    "image_id": str,
    "face_total": int,
    "face_efficient_total_resp": int,
    "resp": list,
    "mark_image_face_b64": str,
    "face_total_resp": int,
    "face_confidence_neglect_total_resp": int,
    "face_blur_neglect_total_resp": int,
    "face_hopenet_neglect_total_resp": int,
    "rejected": list,
}
FACE_NAMES = {
    "face_id": str,
    "face_blur": float,
    "face_pose": dict,
    "face_confidence": float,
    "face_coordinate": list,
    "facie5points": dict,
    "face_native_image_b64": str,
    "face_native_images_b64": str,
    "face_align_images_b64": str,
}


def picture(encoded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))


def types_of(answer: dict[str, Any], names: dict[str, type]) -> dict[str, type]:
    return {name: type(answer.get(name)) for name in names}


def test_an_upload_is_answered_with_every_documented_name_and_type(service: Any, astronaut: Path) -> None:
    answer = service.upload(astronaut.read_bytes())
    assert answer.status_code == 200
    body = answer.json()
    assert types_of(body, NAMES) == NAMES
    assert len(body["image_id"]) == 32
    [face] = body["resp"]
    assert types_of(face, FACE_NAMES) == FACE_NAMES
    assert {name: type(value) for name, value in face["face_pose"].items()} == dict.fromkeys(
        ("pitch", "yaw", "roll"), float
    )
    points = face["facie5points"]
    assert list(points) == ["left_eye", "right_eye", "nose", "mouth_left", "mouth_right"]
    assert all(type(value) is int for point in [*points.values(), face["face_coordinate"]] for value in point)
    assert points["left_eye"][0] < points["right_eye"][0]


def test_the_numbers_are_the_pipelines(service: Any, astronaut: Path) -> None:
    [record] = Pipeline().process([astronaut])
    [expected] = record.faces
    body = service.upload(astronaut.read_bytes()).json()
    [face] = body["resp"]
    assert record.photo is not None
    assert body["image_id"] == record.photo.picture_id[:32]
    assert face["face_id"] == expected.face_id
    assert face["face_coordinate"] == [round(side) for side in expected.box]
    assert face["face_blur"] == pytest.approx(expected.measures["blur"], abs=1e-9)
    assert face["face_pose"]["yaw"] == pytest.approx(expected.measures["yaw"], abs=1e-6)
    assert face["face_confidence"] == pytest.approx(expected.confidence, abs=1e-9)


def test_the_crops_are_of_the_documented_formats_and_show_the_face(service: Any, astronaut: Path) -> None:
    body = service.upload(astronaut.read_bytes()).json()
    [face] = body["resp"]
    _, _, w, h = face["face_coordinate"]
    native, head, aligned = (
        picture(face[f"face_{name}_b64"]) for name in ("native_image", "native_images", "align_images")
    )
    assert (native.format, head.format, aligned.format) == ("JPEG", "PNG", "PNG")
    assert abs(native.width - w) <= 1 and abs(native.height - h) <= 1
    assert head.width > native.width and head.height > native.height
    assert aligned.size == (112, 112)
    [record] = Pipeline().process([astronaut])
    assert np.array_equal(np.asarray(aligned), record.faces[0].crop)
    marked = picture(body["mark_image_face_b64"])
    assert (marked.format, marked.size) == ("JPEG", (512, 512))
    blue = np.asarray(marked).astype(int)
    assert ((blue[..., 2] > 180) & (blue[..., 0] < 90)).sum() > 200


def test_several_uploads_give_one_array_in_order_and_a_bad_file_is_an_entry(
    service: Any, astronaut: Path, hopper: Path
) -> None:
    answer = service.upload(astronaut.read_bytes(), b"no picture", b"", hopper.read_bytes(), path="/uploads")
    assert answer.status_code == 200
    first, second, third, fourth = answer.json()
    assert [entry["face_total"] for entry in (first, fourth)] == [1, 1]
    assert first["image_id"] != fourth["image_id"]
    assert (second["error"]["code"], third["error"]["code"]) == ("not_an_image", "empty")


def test_the_same_picture_alone_and_among_others_gets_the_same_answer(service: Any, astronaut: Path) -> None:
    data = astronaut.read_bytes()
    assert service.upload(data, data, path="/uploads").json() == [service.upload(data).json()] * 2


def test_the_seed_photo_falls_through_the_references_checks(service: Any, shared: Path) -> None:
    body = service.upload((shared / "seed/famous-selfie.jpg").read_bytes()).json()
    funnel = [body[f"face_{check}_neglect_total_resp"] for check in ("confidence", "blur", "hopenet", "other")]
    assert (body["face_total"], funnel, body["face_efficient_total_resp"]) == (38, [10, 23, 1, 0], 4)
    assert len(body["rejected"]) == 34
    assert all(face["reasons"] for face in body["rejected"])


def test_one_upload_takes_one_image_in_the_field_image(service: Any, astronaut: Path) -> None:
    data = astronaut.read_bytes()
    two = service.upload(data, data)
    other = service.post("/upload", files={"picture": data})
    none = service.post("/upload", data=b"x", headers={"Content-Type": "text/plain"})
    codes = [(answer.status_code, answer.json()["error"]["code"]) for answer in (two, other, none)]
    assert codes == [(400, "one_image"), (400, "no_image"), (400, "bad_multipart")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "a-token-for-tests"},
        {"Authorization": "Bearer a-token-for-tests"},
        {"X-API-Key": "a-token-for-tests"},
        {"X-API-Key": "a-token-for-tests", "Authorization": "Basic cHJveHk6cHJveHk="},
    ],
)
def test_a_whole_token_is_accepted_in_each_header(service: Any, headers: dict[str, str]) -> None:
    answer = requests.post(f"{service.url}/v1/sieve", json={"measures": []}, headers=headers, timeout=10)
    assert answer.status_code == 200


@pytest.mark.parametrize("token", ["a", "e", "a-token-for-test", "a-token-for-testss", "A-TOKEN-FOR-TESTS", "tökén"])
def test_no_part_of_a_token_and_no_other_is_accepted(service: Any, token: str) -> None:
    headers = {"Authorization": token.encode()}
    answer = requests.post(f"{service.url}/upload", headers=headers, files={"image": b"x"}, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


def test_without_a_token_only_pages_and_probes_answer(service: Any) -> None:
    opened = ["/", "/docs", "/livez", "/readyz", "/metrics", "/openapi.json"]
    assert [requests.get(service.url + path, timeout=10).status_code for path in opened] == [200] * 6
    for path in ("/upload", "/uploads", "/v1/faces", "/v1/sieve"):
        answer = requests.post(service.url + path, data=b"x", timeout=10)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    gone = requests.get(f"{service.url}/token", timeout=10)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")


def test_errors_have_one_shape_and_answers_carry_the_request_id(service: Any) -> None:
    answer = service.post("/upload", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["X-Request-ID"] == "mine-1"
    body = answer.json()
    assert body["request_id"] == "mine-1"
    assert set(body) == {"error", "request_id"} and set(body["error"]) == {"code", "message", "details"}
    strange = service.post("/upload", headers={"X-Request-ID": "<script>"})
    assert strange.headers["X-Request-ID"] == strange.json()["request_id"] != "<script>"
    assert logged(service, "mine-1")


def test_a_route_says_which_methods_it_takes(service: Any) -> None:
    for method, path, allowed in (
        ("GET", "/upload", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("PATCH", "/", "GET, HEAD"),
    ):
        answer = requests.request(method, service.url + path, timeout=10)
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == allowed
    head = requests.head(f"{service.url}/livez", timeout=10)
    assert (head.status_code, head.content) == (200, b"")


def test_the_modern_form_gives_measures_verdicts_and_what_was_wished(service: Any, hopper: Path) -> None:
    data = hopper.read_bytes()
    plain = service.faces(data).json()
    assert "crops" not in plain["faces"][0] and "marked" not in plain
    wished = service.faces(data, "?crops=all&marked=1&policy=strict&max_yaw=1").json()
    [face] = wished["faces"]
    assert set(face["crops"]) == {"aligned", "face", "head"}
    assert picture(wished["marked"]).size == (wished["width"], wished["height"])
    assert wished["policy"] == "strict, adjusted"
    assert not face["kept"] and "turned" in face["reasons"]
    related = {"rank_in_picture": None, "faces_in_picture": None}
    assert face["measures"] == plain["faces"][0]["measures"] | related, "a rejected face has no rank"
    assert set(service.faces(data, "?crops=aligned").json()["faces"][0]["crops"]) == {"aligned"}


def test_the_modern_form_takes_the_picture_as_the_body_or_in_a_form(service: Any, hopper: Path) -> None:
    data = hopper.read_bytes()
    raw = service.faces(data, "?crops=aligned").json()
    form = service.upload(data, path="/v1/faces?crops=aligned").json()
    assert raw.pop("timings").keys() == form.pop("timings").keys() == {"pipeline_ms"}
    assert raw == form and raw["faces_total"] == 1
    two = service.upload(data, data, path="/v1/faces")
    none = service.post("/v1/faces", files={"picture": data})
    assert [answer.json()["error"]["code"] for answer in (two, none)] == ["one_image", "no_image"]


def test_without_pose_its_limits_do_not_judge(service: Any, hopper: Path) -> None:
    [face] = service.faces(hopper.read_bytes(), "?pose=0&max_yaw=1").json()["faces"]
    assert face["measures"]["yaw"] is None
    assert "turned" not in face["reasons"] and "pose_not_measured" not in face["reasons"]


@pytest.mark.parametrize(
    ("query", "option"),
    [
        ("?max_yow=3", "max_yow"),
        ("?crops=some", "crops"),
        ("?marked=yes", "marked"),
        ("?policy=/etc/passwd.toml", "policy"),
        ("?max_yaw=nan", "max_yaw"),
    ],
)
def test_an_unknown_option_is_named(service: Any, query: str, option: str) -> None:
    answer = service.faces(b"x", query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_option")
    assert answer.json()["error"]["details"] == {"option": option}


def test_measures_are_judged_again_as_the_pipeline_judged_them(service: Any, hopper: Path) -> None:
    [face] = service.faces(hopper.read_bytes()).json()["faces"]
    turned = face["measures"] | {"yaw": 50.0}
    unknown = face["measures"] | {"yaw": None}
    body = service.post("/v1/sieve", json={"measures": [face["measures"], turned, unknown]}).json()
    assert body["verdicts"][0] == {"kept": face["kept"], "reasons": face["reasons"]}
    assert body["verdicts"][1]["reasons"] == ["turned"]
    assert body["verdicts"][2]["reasons"] == ["pose_not_measured"]
    assert (body["total"], body["kept"]) == (3, 1)
    wide = service.post("/v1/sieve", json={"measures": [turned], "limits": {"max_yaw": 60}}).json()
    assert wide["verdicts"] == [{"kept": True, "reasons": []}]
    assert service.post("/v1/sieve", json={"measures": []}).json()["verdicts"] == []


def test_json_that_is_off_is_said_to_be_off_without_being_repeated(service: Any) -> None:
    for body in (b"{", b"[]", b'{"measures": [{"secret_measure": 1}]}', b'{"measures": 3}', b"\xff"):
        answer = service.post("/v1/sieve", data=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_json")


def test_answers_tell_nothing_of_the_machine(service: Any) -> None:
    for answer in (service.upload(b"GIF89a junk"), service.faces(b"\x89PNG\r\n\x1a\n junk"), service.post("/nothing")):
        text = f"{answer.headers} {answer.text}".lower()
        assert not [word for word in ("tornado", "python", "traceback", "/home", "/usr", "junk") if word in text]
