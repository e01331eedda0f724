import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TaskError } from '../../../shared/errors.ts';
import { packetBytes, readSntpAnswer, sntpRequest } from './sntp-packet.ts';

const nonce = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);

interface Clocks {
  serverReceived: number;
  serverSent: number;
}

function answer({ serverReceived, serverSent }: Clocks): Buffer {
  const packet = Buffer.alloc(packetBytes);
  packet[0] = (4 << 3) | 4;
  packet[1] = 2;
  packet.set(nonce, 24);
  writeTime(packet, 32, serverReceived);
  writeTime(packet, 40, serverSent);
  return packet;
}

function writeTime(packet: Buffer, at: number, ms: number): void {
  const seconds = Math.floor(ms / 1000);
  packet.writeUInt32BE((seconds + 2_208_988_800) % 2 ** 32, at);
  packet.writeUInt32BE(Math.floor(((ms - seconds * 1000) / 1000) * 2 ** 32), at + 4);
}

test('a request is version 4, client, with the nonce where the server repeats it from', () => {
  const packet = sntpRequest(nonce);
  expect([packet.length, packet[0]]).toEqual([48, 0x23]);
  expect([...packet.subarray(40)]).toEqual([...nonce]);
  expect(packet.subarray(1, 40).every((byte) => byte === 0)).toBe(true);
});

test('any offset and any two delays are measured as RFC 4330 defines them, in every era', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2100, 0) }),
      fc.integer({ min: -86_400_000 * 365 * 30, max: 86_400_000 * 365 * 30 }),
      fc.integer({ min: 0, max: 5000 }),
      fc.integer({ min: 0, max: 5000 }),
      fc.integer({ min: 0, max: 1000 }),
      (sentAt, offset, up, down, thinks) => {
        const serverReceived = sentAt + up + offset;
        const serverSent = serverReceived + thinks;
        const receivedAt = sentAt + up + thinks + down;
        const told = readSntpAnswer(answer({ serverReceived, serverSent }), nonce, { sentAt, receivedAt });
        expect(told.offsetMs).toBeCloseTo(offset + (up - down) / 2, 1);
        expect(told.roundTripMs).toBeCloseTo(up + down, 1);
      },
    ),
  );
});

test('any bytes are a measurement or a TaskError, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, repeatsNonce) => {
      const packet = Uint8Array.from(bytes);
      if (repeatsNonce && packet.length >= 32) packet.set(nonce, 24);
      try {
        const told = readSntpAnswer(packet, nonce, { sentAt: 0, receivedAt: 10 });
        expect(repeatsNonce).toBe(true);
        expect(Number.isFinite(told.offsetMs) && told.roundTripMs >= 0).toBe(true);
        expect(told.stratum >= 1 && told.stratum <= 15).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(TaskError);
      }
    }),
  );
});

test.each<[string, (packet: Buffer) => Buffer, RegExp]>([
  ['is too short', (packet) => packet.subarray(0, 47), /47 bytes/],
  ['answers another question', (packet) => packet.fill(9, 24, 32), /not to our question/],
  ['is itself a request', (packet) => packet.fill(0x23, 0, 1), /mode 3/],
  ['has version 7', (packet) => packet.fill(0x3c, 0, 1), /version 7/],
  ['is a kiss of death', (packet) => packet.fill(0, 1, 2).fill('RATE', 12, 16), /turns us away \(RATE\)/],
  ['has stratum 16', (packet) => packet.fill(16, 1, 2), /not synchronized/],
  ['has an alarm', (packet) => packet.fill(0xe4, 0, 1), /leap indicator 3/],
  ['has no time', (packet) => packet.fill(0, 40, 48), /no time/],
])('an answer that %s is refused', (_name, spoil, sentence) => {
  const now = Date.UTC(2026, 0);
  const packet = spoil(answer({ serverReceived: now, serverSent: now }));
  expect(() => readSntpAnswer(packet, nonce, { sentAt: now, receivedAt: now })).toThrow(sentence);
});
