import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isUntouched, type JournalState, journalStates } from '../../shared/transaction.ts';
import { Cluster } from '../harness/cluster.ts';
import { type Frame, FrameGate } from '../harness/frame-gate.ts';
import { labMissing } from './lab.ts';
import { failing, pauses } from './pausing-profile.ts';
import { ruleset, SyncedDevice } from './synced-device.ts';

const hasResult = (frame: Frame): boolean =>
  frame.type === 'report.batch' &&
  (frame['reports'] as { type: string }[]).some(({ type }) => type === 'task.result');

/** States at which a step waits for a file to go. */
const pausedAt: [JournalState, string][] = [
  ['RENDERED', 'validate'],
  ['VALIDATED', 'keep'],
  ['APPLYING', 'apply'],
  ['APPLIED', 'verify'],
];

/** States that last no longer than a record of the journal takes; the cut comes right after it. */
const passing: JournalState[] = ['VERIFIED', 'SNAPSHOTTED', 'ARMED'];

/** The root helper runs the transaction, the guard at boot needs neither program: what is on the disk is all old or all new. */
describe.skipIf(labMissing('SYNC with the power cut'))(
  'a SYNC of an installed agent when the power is cut',
  () => {
    let cluster: Cluster;
    let gate: FrameGate;
    let synced: SyncedDevice;
    const box = () => synced.device.box;
    /** What was confirmed last. */
    let before: Awaited<ReturnType<SyncedDevice['look']>>;
    let address = '';
    let count = 0;

    beforeAll(async () => {
      cluster = await Cluster.create('sync-power-cut');
      gate = await FrameGate.open(cluster.controller.url);
      synced = await SyncedDevice.enrolled(cluster, Number(new URL(gate.url).port));
      await box().must('mkdir', pauses);
      before = await synced.look();
    });

    afterAll(async () => {
      await synced?.[Symbol.asyncDispose]();
      await gate?.[Symbol.asyncDispose]();
      await cluster?.[Symbol.asyncDispose]();
    });

    const submit = (): Promise<string> => {
      count += 1;
      address = `192.0.2.${count}`;
      return synced.sync(ruleset(`ip daddr ${address} drop`));
    };
    const pause = (step: string) => box().write(`${pauses}/${step}`, '');

    /** Cuts the power; returns what the journal said when it was dark. */
    async function powerCut(code: string): Promise<JournalState | undefined> {
      await box().kill();
      gate.cut();
      const state = await synced.journal(code);
      await box().start();
      await box().must('sh', '-c', `rm -f ${pauses}/*`);
      return state;
    }

    /** Nothing was touched or all was confirmed, and it is done; or the old configuration is back, in files and kernel, and the task says so. */
    async function isRight(code: string, { done }: { done: boolean }): Promise<void> {
      const task = await cluster.controller.ended(code, 120_000);
      const now = await synced.look();
      if (done) {
        expect(task).toMatchObject({ status: 'COMPLETED', result: { on_disk: 'new' } });
        expect(now.running).toContain(address);
        expect(now.motd).not.toBe(before.motd);
        before = now;
      } else {
        expect(task).toMatchObject({
          status: 'FAILED',
          error_code: 'rolled_back',
          result: { on_disk: 'old' },
        });
        expect(now).toEqual(before);
      }
      await synced.device.online();
    }

    test.each(pausedAt)('at %s: nothing by halves', async (state, step) => {
      await pause(step);
      const code = await submit();
      await synced.reaches(code, state);
      expect(await powerCut(code)).toBe(state);
      await isRight(code, { done: isUntouched(state) });
    });

    test.each(passing)('right after %s: nothing by halves', async (state) => {
      const code = await submit();
      await synced.passes(code, state);
      const last = await powerCut(code);
      expect(journalStates.indexOf(last ?? 'RECEIVED')).toBeGreaterThanOrEqual(journalStates.indexOf(state));
      await isRight(code, { done: last === undefined || isUntouched(last) || last === 'CONFIRMED' });
    });

    test('at RECEIVED, before the controller answers: it is done once more', async () => {
      const { caught, release } = gate.hold('down', ({ type }) => type === 'task.start');
      const code = await submit();
      await caught;
      cluster.controller.program.signal('SIGSTOP');
      release();
      await synced.reaches(code, 'RECEIVED');
      expect(await powerCut(code)).toBe('RECEIVED');
      cluster.controller.program.signal('SIGCONT');
      await isRight(code, { done: true });
    });

    test('at ROLLING_BACK: the way back is gone to its end', async () => {
      await pause('restore');
      await box().write(failing, '');
      const code = await submit();
      await synced.reaches(code, 'ROLLING_BACK');
      expect(await powerCut(code)).toBe('ROLLING_BACK');
      await isRight(code, { done: false });
    });

    test('at CONFIRMED, and the controller does not know: the new configuration stays', async () => {
      const { caught } = gate.hold('up', hasResult);
      const code = await submit();
      await caught;
      expect(await powerCut(code)).toBe('CONFIRMED');
      await isRight(code, { done: true });
    });
  },
);
