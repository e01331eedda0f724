/** Bytes of UTF-8 that a close frame has room for beside its code (RFC 6455, 5.5.1). */
const maxBytes = 123;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A reason as a close frame can carry it: cut between two characters where it is too long. */
export function closeReason(text: string): string {
  if (text.length * 3 <= maxBytes) return text;
  const room = new Uint8Array(maxBytes);
  const { written } = encoder.encodeInto(text, room);
  return decoder.decode(room.subarray(0, written));
}
