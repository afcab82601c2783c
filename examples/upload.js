// Sends one picture to /v1/faces and prints for each face whether it is kept, or why not.
const { readFile } = require("node:fs/promises");

async function main() {
  const url = process.env.FACESIEVE_URL || "http://127.0.0.1:30025";
  const response = await fetch(`${url}/v1/faces?max_yaw=30`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.FACESIEVE_TOKEN || "token"}` },
    body: await readFile(process.argv[2]),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.error.code}: ${answer.error.message}`);
  for (const face of answer.faces) console.log(face.face_id, face.kept ? "kept" : face.reasons.join(", "));
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
