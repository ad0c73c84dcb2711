export function documents() { return { draw() { return []; } }; }
