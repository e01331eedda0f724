import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes between two looks: V8 itself looks through everything after 64 MiB of them. */
const everyBytes = 16 * 1024 * 1024;

/**
 * To be told how many bytes have passed through buffers that nobody needs any more.
 *
 * V8 counts the memory of buffers and, at a limit, looks through all that the process holds to find what is garbage: with bulk bytes that is
 * most of the processor's time, and memory grows meanwhile. Nearly all of such buffers are young, and to look through what is young costs
 * next to nothing.
 */
export function youngGarbage(): (bytes: number) => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  let passed = 0;
  return (bytes) => {
    passed += bytes;
    if (passed < everyBytes) return;
    passed = 0;
    collect({ type: 'minor' });
  };
}
