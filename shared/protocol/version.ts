/**
 * Version of the link protocol. A change of the wire raises it and adds a line here; the fingerprint test insists.
 *
 * 1: first version.
 * 2: tasks ask people: `task.question`, `task.question_closed`, `question.answer`.
 * 3: keys change: `hello.controllerKey`, `welcome.keyChanges`, `welcome.rotateKey`.
 * 4: the size of the fleet decides how soon a device tries again: `welcome.reconnectWithinMs`.
 */
export const protocolVersion = 4;
/** An older peer is not told of questions: it would close the link. */
export const questionsSince = 2;

/** The range this side can speak. */
export const protocolRange = { min: 1, max: protocolVersion } as const;

/** A longer frame closes the link with `closeCodes.frameTooLarge`. Bytes of UTF-8. */
export const maxFrameBytes = 1024 * 1024;

/** The agent pings after this silence, and so does the controller; any traffic counts. Milliseconds. */
export const heartbeatMs = 25_000;
/** Silence after which a link is dead. Milliseconds. */
export const deadAfterMs = 60_000;

/** Why a link was closed, beyond the codes of RFC 6455. */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  badFrame: 4000,
  frameTooLarge: 4001,
  unsupportedProtocol: 4002,
  helloExpected: 4003,
  helloTimeout: 4004,
  superseded: 4005,
  quarantined: 4006,
  deviceNotEnabled: 4007,
  silent: 4008,
  overloaded: 4009,
} as const;
