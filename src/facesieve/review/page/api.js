// Asks the server. The token comes from the fragment of the address, stays in this tab, and goes into a header.

const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.get("token")) {
  sessionStorage.setItem("token", fragment.get("token"));
  history.replaceState(null, "", location.pathname);
}

export class Refused extends Error {
  constructor(status, { code, message, faces = [] }) {
    super(message);
    Object.assign(this, { status, code, faces });
  }
}

let revision = null;
export const hasToken = () => Boolean(sessionStorage.getItem("token"));
export const setRevision = value => { revision = value; };

async function post(kind, question) {
  const headers = { "X-Review-Token": sessionStorage.getItem("token") || "", "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(`/api/${kind}`, { method: "POST", headers, body: JSON.stringify({ revision, ...question }) });
  } catch (error) {
    throw new Refused(0, { code: "gone", message: speech.text("review.gone") });
  }
  if (!answer.ok) throw new Refused(answer.status, await answer.json());
  return answer;
}

export const ask = async (kind, question = {}) => (await post(kind, question)).json();
export const askBytes = async (kind, question = {}) => (await post(kind, question)).arrayBuffer();
