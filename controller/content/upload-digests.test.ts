import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UploadDigests } from './upload-digests.ts';

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test('is the digest of all that was added, or unknown when something was missed', () => {
  const request = fc.record({
    bytes: fc.uint8Array({ maxLength: 40 }),
    isSeen: fc.boolean(),
    endsWell: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 8 }), (requests) => {
      const digests = new UploadDigests();
      let file = Buffer.alloc(0);
      let isWhole = true;
      for (const { bytes, isSeen, endsWell } of requests) {
        if (isSeen) {
          const digest = digests.follow('one', file.length);
          digest?.add(bytes);
          if (endsWell) digest?.keep();
        }
        isWhole = (file.length === 0 || isWhole) && isSeen && endsWell;
        file = Buffer.concat([file, bytes]);
      }
      const proof = digests.proof('one', file.length);
      if (proof !== undefined) expect(proof).toEqual({ size: file.length, sha256: digestOf(file) });
      if (isWhole) expect(proof).toBeDefined();
    }),
  );
});

test('may be asked again, and is forgotten when it is told to', () => {
  const digests = new UploadDigests();
  const digest = digests.follow('one', 0);
  digest?.add(Buffer.from('alpha'));
  digest?.keep();
  const proof = { size: 5, sha256: digestOf(Buffer.from('alpha')) };
  expect([digests.proof('one', 5), digests.proof('one', 5)]).toEqual([proof, proof]);
  expect(digests.proof('one', 4)).toBeUndefined();
  digests.forget('one');
  expect(digests.proof('one', 5)).toBeUndefined();
});
