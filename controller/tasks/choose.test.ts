import { expect, test } from 'vitest';
import { defaultSlots, type TaskType, traitsOf } from '../../shared/task-types/task-type.ts';
import type { HeldTask, OnlineLink } from '../devices/online.ts';
import type { OfferableTask } from '../store/tasks.ts';
import { chooseOffers } from './choose.ts';

const now = 1_000;

function linkHolding(types: TaskType[] = [], over: Partial<OnlineLink> = {}): OnlineLink {
  const held = types.map((type, index): [string, HeldTask] => [
    `held-${index}`,
    { id: '', lane: traitsOf(type).lane, type, runId: null, state: 'started', since: 0, expiresAt: null },
  ]);
  return {
    deviceId: 'fw-1',
    organizationId: '',
    order: 1,
    isClosed: false,
    aliveAt: 0,
    held: held.length > 0 ? new Map(held) : undefined,
    pausedUntil: undefined,
    slots: defaultSlots,
    storeId: 's',
    appliedSeq: 0,
    send: () => undefined,
    close: () => undefined,
    ...over,
  };
}

let seq = 0;
function task(code: string, type: TaskType, over: Partial<OfferableTask> = {}): OfferableTask {
  seq += 1;
  return {
    id: code,
    code,
    seq,
    deviceId: 'fw-1',
    runId: null,
    type,
    lane: traitsOf(type).lane,
    parameters: '{}',
    timeoutMs: 1,
    force: false,
    expiresAt: 0,
    ...over,
  };
}

const chosen = (link: OnlineLink | undefined, tasks: OfferableTask[], slots = new Map<string, number>()) =>
  chooseOffers(tasks, () => link, slots, now).chosen.map(({ task: { code } }) => code);

test('fills the free slots of each lane, oldest first', () => {
  const tasks = [task('a', 'SCRIPT'), task('b', 'PING'), task('c', 'SCRIPT'), task('d', 'SCRIPT')];
  expect(chosen(linkHolding(['SCRIPT']), tasks)).toEqual(['a', 'b']);
});

test('offers nothing to a device that is not here, to a paused lane, or twice', () => {
  expect(chosen(undefined, [task('a', 'PING')])).toEqual([]);
  const paused = linkHolding([], { pausedUntil: new Map([['read', now + 1]]) });
  expect(chosen(paused, [task('a', 'PING'), task('b', 'SCRIPT')])).toEqual(['b']);
  const over = linkHolding([], { pausedUntil: new Map([['read', now]]) });
  expect(chosen(over, [task('a', 'PING')])).toEqual(['a']);
  expect(chosen(linkHolding(['PING']), [task('held-0', 'PING')])).toEqual([]);
});

test('hands REBOOT out only to an idle device, and nothing beside it', () => {
  expect(chosen(linkHolding(['PING']), [task('a', 'REBOOT')])).toEqual([]);
  expect(chosen(linkHolding(['CONNECT']), [task('a', 'REBOOT')])).toEqual(['a']);
  expect(chosen(linkHolding(), [task('a', 'REBOOT'), task('b', 'PING')])).toEqual(['a']);
  expect(chosen(linkHolding(['REBOOT']), [task('b', 'PING')])).toEqual([]);
});

test('lets younger tasks wait behind a REBOOT that waits for the device to be idle', () => {
  expect(chosen(linkHolding(['PING']), [task('a', 'REBOOT'), task('b', 'PING')])).toEqual([]);
  expect(chosen(linkHolding(), [task('a', 'PING'), task('b', 'REBOOT'), task('c', 'PING')])).toEqual(['a']);
});

test('force goes beside everything, but not beyond the slots', () => {
  const forced = { force: true };
  expect(chosen(linkHolding(['PING']), [task('a', 'REBOOT', forced)])).toEqual(['a']);
  expect(chosen(linkHolding(['REBOOT']), [task('b', 'PING', forced)])).toEqual(['b']);
  expect(chosen(linkHolding(['PING']), [task('a', 'REBOOT'), task('b', 'PING', forced)])).toEqual(['b']);
  expect(chosen(linkHolding(['SYNC']), [task('a', 'REBOOT', forced)])).toEqual([]);
});

test('gives the places of a rollout to the oldest, and tells which devices have younger work behind it', () => {
  const run = { runId: 'run' };
  const slots = new Map([['run', 1]]);
  const tasks = [task('a', 'PING', run), task('b', 'PING', run), task('c', 'PING')];
  const choice = chooseOffers(tasks, () => linkHolding(), slots, now);
  expect(choice.chosen.map(({ task: { code } }) => code)).toEqual(['a', 'c']);
  expect([...choice.heldBack]).toEqual(['fw-1']);
  expect(slots.get('run')).toBe(0);
});

test('a REBOOT that its rollout holds back does not make younger tasks wait', () => {
  const slots = new Map([['run', 0]]);
  expect(chosen(linkHolding(), [task('a', 'REBOOT', { runId: 'run' }), task('b', 'PING')], slots)).toEqual([
    'b',
  ]);
});
