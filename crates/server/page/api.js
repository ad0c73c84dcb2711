// Asks the server. The token is kept for this tab alone.

const KEPT = "compartment-token";

export const token = () => sessionStorage.getItem(KEPT) ?? "";
export const setToken = (text) => text ? sessionStorage.setItem(KEPT, text) : sessionStorage.removeItem(KEPT);

const headers = () => token() ? { Authorization: "Bearer " + token() } : {};

async function answer(response) {
  const value = await response.json().catch(() => ({ error: "the server answered " + response.status }));
  if (!response.ok) {
    const error = new Error(value.error ?? "the server answered " + response.status);
    error.status = response.status;
    throw error;
  }
  return value;
}

// The figures at a path, with parameters that are not empty.
export async function get(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== ""));
  const text = query.toString();
  return answer(await fetch(text ? path + "?" + text : path, { headers: headers() }));
}

export async function post(path, body) {
  return answer(await fetch(path, {
    method: "POST",
    headers: { ...headers(), "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }));
}

// Reads looks as they come, and again after the connection was lost.
export async function follow(onLook, onState) {
  for (;;) {
    try {
      const response = await fetch("/api/events", { headers: headers() });
      if (!response.ok) await answer(response);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let waiting = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        waiting += value;
        const events = waiting.split("\n\n");
        waiting = events.pop();
        const last = events.filter((one) => one.startsWith("event: look")).pop();
        if (last) onLook(JSON.parse(last.slice(last.indexOf("\ndata: ") + 7)));
      }
      onState("the connection to this server was lost");
    } catch (error) {
      onState(error.status ? error.message : "this server does not answer");
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
