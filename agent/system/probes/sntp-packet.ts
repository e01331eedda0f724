import { TaskError } from '../../../shared/errors.ts';

/** Seconds between 1900, where NTP counts from, and 1970. */
const epochOffset = 2_208_988_800;
/** NTP counts 2^32 seconds, which end in 2036. */
const eraSeconds = 2 ** 32;
export const packetBytes = 48;

/** Four moments, in milliseconds since 1970: T1 sent by us, T2 received and T3 sent by the server, T4 received by us. */
export interface Exchange {
  sentAt: number;
  receivedAt: number;
}

export interface Measurement {
  offsetMs: number;
  roundTripMs: number;
  stratum: number;
}

/** A request of a client, version 4 (RFC 4330, 5). `nonce` stands for the transmit time: the server repeats it, and nobody else knows it. */
export function sntpRequest(nonce: Uint8Array): Buffer {
  const packet = Buffer.alloc(packetBytes);
  packet[0] = (4 << 3) | 3;
  packet.set(nonce.subarray(0, 8), 40);
  return packet;
}

/** Checks an answer as RFC 4330 (5) demands and computes the offset of our clock. Throws `TaskError` with what is wrong. */
export function readSntpAnswer(
  packet: Uint8Array,
  nonce: Uint8Array,
  { sentAt, receivedAt }: Exchange,
): Measurement {
  if (packet.length < packetBytes)
    throw refused(`its answer has ${packet.length} bytes instead of ${packetBytes}`);
  const view = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  const flags = view.readUInt8(0);
  const stratum = view.readUInt8(1);

  if (view.compare(nonce, 0, 8, 24, 32) !== 0) throw refused('its answer is not to our question');
  if ((flags & 7) !== 4) throw refused(`its answer has mode ${flags & 7} instead of 4 (server)`);
  const version = (flags >> 3) & 7;
  if (version < 1 || version > 4) throw refused(`its answer has version ${version}`);
  if (stratum === 0) throw refused(`it turns us away (${kissCode(view)})`);
  if (stratum > 15) throw refused(`it is not synchronized (stratum ${stratum})`);
  if (flags >> 6 === 3) throw refused('it is not synchronized (leap indicator 3)');
  if (view.readUInt32BE(40) === 0 && view.readUInt32BE(44) === 0) throw refused('its answer has no time');

  const serverReceived = readTime(view, 32, sentAt);
  const serverSent = readTime(view, 40, sentAt);
  return {
    offsetMs: (serverReceived - sentAt + (serverSent - receivedAt)) / 2,
    roundTripMs: Math.max(0, receivedAt - sentAt - (serverSent - serverReceived)),
    stratum,
  };
}

/** The era nearest to our own clock is meant (RFC 4330, 3): right for any clock that is wrong by less than 68 years. */
function readTime(view: Buffer, at: number, near: number): number {
  const seconds = view.readUInt32BE(at) - epochOffset;
  const era = Math.round((near / 1000 - seconds) / eraSeconds);
  return (seconds + era * eraSeconds) * 1000 + (view.readUInt32BE(at + 4) / eraSeconds) * 1000;
}

/** Kiss-o'-death: four letters why, such as RATE. */
const kissCode = (view: Buffer): string =>
  view.toString('latin1', 12, 16).replace(/[^A-Z]/g, '') || 'stratum 0';

const refused = (reason: string): TaskError => new TaskError('bad_answer', reason);
