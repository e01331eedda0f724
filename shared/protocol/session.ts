/**
 * A session has a socket of its own at each side, spliced by the controller: `GET /session` with `Upgrade: muster-session` (after 101 the
 * connection is raw bytes), or with `Upgrade: websocket` and subprotocol `muster-session` where something on the way insists (binary frames,
 * cut anywhere). Inside are the frames of `shared/tunnel/frame.ts`.
 *
 * The device authenticates with a JWT as for its link; the operator with the token of the answer that opened the session. Each side is
 * taken once. Refusals are HTTP answers with the body of every error.
 */
export const sessionPath = '/session';
export const sessionUpgrade = 'muster-session';
/** Names the session; both sides send it. */
export const sessionHeader = 'muster-session';
