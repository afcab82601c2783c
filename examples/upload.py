"""Sends pictures to /uploads, prints how many faces each has, and writes the aligned crops of kept faces."""

import base64
import os
import sys
from pathlib import Path

import requests

url = os.environ.get("FACESIEVE_URL", "http://127.0.0.1:30025")
headers = {"Authorization": os.environ.get("FACESIEVE_TOKEN", "token")}
paths = [Path(name) for name in sys.argv[1:]]
files = [("image", (path.name, path.read_bytes())) for path in paths]

response = requests.post(f"{url}/uploads", headers=headers, files=files, timeout=30)
response.raise_for_status()
for path, entry in zip(paths, response.json(), strict=True):
    if "error" in entry:
        print(f"{path.name}: {entry['error']['message']}")
        continue
    print(f"{path.name}: {entry['face_total']} faces, {entry['face_efficient_total_resp']} kept")
    for face in entry["resp"]:
        Path(f"{face['face_id']}.png").write_bytes(base64.b64decode(face["face_align_images_b64"]))
