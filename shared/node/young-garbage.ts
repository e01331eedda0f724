import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes between two looks. V8 looks through everything after 64 MiB of them, and after 8 once it has come to know the heap as small. */
const everyBytes = 4 * 1024 * 1024;
/** What a heap and its buffers may grow by before V8 looks through everything: a program that is busy with bytes was left a tenth. */
const growthPercent = 100;

/**
 * To be told how many bytes have passed through buffers that nobody needs any more.
 *
 * V8 counts the memory of buffers and, at a limit, looks through all that the process holds to find what is garbage: with bulk bytes that is
 * most of the processor's time, and memory grows meanwhile. Nearly all of such buffers are young, and to look through what is young costs
 * next to nothing.
 */
export function youngGarbage(): (bytes: number) => void {
  setFlagsFromString('--expose-gc');
  setFlagsFromString(`--heap-growing-percent=${growthPercent}`);
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
  let passed = 0;
  return (bytes) => {
    passed += bytes;
    if (passed < everyBytes) return;
    passed = 0;
    collect({ type: 'minor' });
  };
}
