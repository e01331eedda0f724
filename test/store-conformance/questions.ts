import { describe, expect } from 'vitest';
import type { DeviceQuestion, NewQuestion } from '../../controller/store/questions.ts';
import { maxQuestionsOfTask } from '../../shared/question.ts';
import { type Conform, completion, type World } from './world.ts';

const paging = { page: 1, perPage: 10 };

/** What a run itself asks at 10, until 100. */
async function asked(world: World, values: Partial<NewQuestion> = {}): Promise<string> {
  const question: NewQuestion = {
    id: 'q1',
    organizationId: 'home',
    runId: 'run-1',
    taskId: null,
    prompt: 'Go on?',
    options: ['yes', 'no'],
    safe: 'no',
    askedAt: 10,
    expiresAt: 100,
    ...values,
  };
  await world.store.questions.insert(question);
  return question.id;
}

/** A task that runs, and what its device reports to ask. */
async function deviceTask(world: World, deviceId = 'fw') {
  await world.device(deviceId);
  const task = await world.started({ deviceId, type: 'SCRIPT', lane: 'script' });
  const asks = (id: string, values: Partial<DeviceQuestion> = {}): DeviceQuestion => ({
    id,
    deviceId,
    code: task.code,
    prompt: 'Wipe?',
    options: ['yes', 'no'],
    safe: null,
    expiresAt: 100,
    ...values,
  });
  return { task, asks };
}

const states = async ({ store }: World): Promise<Record<string, string>> => {
  const { items } = await store.questions.list('home', {}, paging);
  return Object.fromEntries(items.map(({ id, state }) => [id, state]));
};

export const describeQuestions = (conform: Conform) => {
  describe('questions', () => {
    conform('a question is answered once, before its deadline, and says by whom', async (world) => {
      const id = await asked(world);
      const { questions } = world.store;
      expect(await questions.answer(id, { answer: 'yes', by: 'ann' }, 50)).toMatchObject({
        id,
        state: 'answered',
        answer: 'yes',
        runId: 'run-1',
      });
      expect(await questions.answer(id, { answer: 'no', by: 'bob' }, 51)).toBeUndefined();
      expect(await questions.expire(200, 10)).toEqual([]);
      expect(await questions.get('home', id)).toMatchObject({
        options: ['yes', 'no'],
        safe: 'no',
        answer: 'yes',
        answeredBy: 'ann',
        answeredAt: 50,
        organizationName: 'home',
        takenAt: null,
      });
    });

    conform(
      'after the deadline it cannot be answered, whether that was written down yet or not',
      async (world) => {
        const { questions } = world.store;
        const id = await asked(world);
        await asked(world, { id: 'later', expiresAt: 101 });
        expect(await questions.isDue(99)).toBe(false);
        expect(await questions.isDue(100)).toBe(true);
        expect(await questions.answer(id, { answer: 'yes', by: 'ann' }, 100)).toBeUndefined();
        expect((await questions.expire(100, 10)).map((move) => [move.id, move.state])).toEqual([
          [id, 'expired'],
        ]);
        expect(await questions.isDue(100)).toBe(false);
        expect(await questions.answer(id, { answer: 'yes', by: 'ann' }, 99)).toBeUndefined();
        expect(await states(world)).toEqual({ q1: 'expired', later: 'pending' });
      },
    );

    conform('only its own organization sees it', async (world) => {
      const id = await asked(world);
      const { questions } = world.store;
      expect(await questions.get('away', id)).toBeUndefined();
      expect((await questions.list('away', {}, paging)).total).toBe(0);
    });

    conform('what a run asks is withdrawn by the run, what its tasks ask by the tasks', async (world) => {
      const { task } = await deviceTask(world);
      const { questions } = world.store;
      await asked(world);
      await asked(world, { id: 'q2', taskId: task.id });
      await asked(world, { id: 'q3', runId: 'run-2' });
      expect((await questions.withdrawOfRun('run-1')).map(({ id }) => id)).toEqual(['q1']);
      expect((await questions.withdrawOfTasks([task.id, 'none'])).map(({ id }) => id)).toEqual(['q2']);
      expect(await questions.withdrawOfTasks([task.id])).toEqual([]);
      expect(await states(world)).toEqual({ q1: 'withdrawn', q2: 'withdrawn', q3: 'pending' });
    });

    conform('a device asks for its own running task, each question once', async (world) => {
      const { task, asks } = await deviceTask(world);
      await world.device('other');
      const { questions } = world.store;
      const first = await questions.ask(
        [asks('a'), asks('b', { deviceId: 'other' }), asks('c', { code: 'nobody' })],
        20,
      );
      expect(first).toMatchObject([{ id: 'a', state: 'pending', taskId: task.id, deviceId: 'fw' }]);
      expect(await questions.ask([asks('a', { prompt: 'Other?' })], 21)).toEqual([]);
      expect(await questions.get('home', 'a')).toMatchObject({
        prompt: 'Wipe?',
        askedAt: 20,
        taskCode: task.code,
        deviceName: 'fw',
      });
    });

    conform(
      'what comes after the end of its task, or the wish to stop it, is withdrawn at once',
      async (world) => {
        const { task, asks } = await deviceTask(world);
        const { questions, tasks } = world.store;
        await tasks.requestCancel([task.id], 20);
        expect(await questions.ask([asks('a')], 21)).toMatchObject([{ state: 'withdrawn' }]);
        await tasks.finish([completion(task)], 22);
        expect(await questions.ask([asks('b')], 23)).toMatchObject([{ state: 'withdrawn' }]);
      },
    );

    conform('a task has so many questions and no more', async (world) => {
      const { asks } = await deviceTask(world);
      const { questions } = world.store;
      for (let count = 0; count < maxQuestionsOfTask; count += 1) {
        expect(await questions.ask([asks(`q${count}`)], 20)).toHaveLength(1);
      }
      expect(await questions.ask([asks('more')], 20)).toEqual([]);
    });

    conform(
      'the first word of a device about what it took stays, and closes what was pending',
      async (world) => {
        const { asks } = await deviceTask(world);
        const { questions } = world.store;
        await questions.ask(
          ['a', 'b', 'c', 'd'].map((id) => asks(id)),
          20,
        );
        await questions.answer('a', { answer: 'yes', by: 'ann' }, 30);
        const taken = (id: string, reason: 'person' | 'deadline' | 'withdrawn', answer: string | null) => ({
          id,
          deviceId: 'fw',
          reason,
          answer,
          at: 40,
        });
        const first = await questions.take([
          taken('a', 'deadline', 'no'),
          taken('b', 'deadline', 'no'),
          taken('c', 'withdrawn', null),
          taken('d', 'person', 'yes'),
          { ...taken('a', 'person', 'yes'), deviceId: 'other' },
        ]);
        expect(first.closed.map(({ id, state }) => [id, state]).sort()).toEqual([
          ['b', 'expired'],
          ['c', 'withdrawn'],
          ['d', 'answered'],
        ]);
        expect(first.taken).toHaveLength(4);
        expect(await questions.take([taken('a', 'person', 'yes')])).toEqual({ closed: [], taken: [] });
        expect(await questions.get('home', 'a')).toMatchObject({
          state: 'answered',
          answer: 'yes',
          answeredBy: 'ann',
          takenAnswer: 'no',
          takenReason: 'deadline',
          takenAt: 40,
        });
        expect(await questions.get('home', 'd')).toMatchObject({
          answer: 'yes',
          answeredBy: null,
          answeredAt: 40,
        });
      },
    );

    conform('a device is told what it did not take yet, as long as its task runs', async (world) => {
      const { task, asks } = await deviceTask(world);
      const { questions, tasks } = world.store;
      await questions.ask([asks('answered'), asks('expired'), asks('open', { expiresAt: 900 })], 20);
      expect(await questions.untaken(['fw'])).toEqual([]);
      await questions.answer('answered', { answer: 'yes', by: 'ann' }, 30);
      await questions.expire(100, 10);
      const told = async () =>
        (await questions.untaken(['fw', 'none'])).map(({ id, code, answer }) => [id, code, answer]).sort();
      expect(await told()).toEqual([
        ['answered', task.code, 'yes'],
        ['expired', task.code, null],
      ]);
      await questions.take([{ id: 'answered', deviceId: 'fw', reason: 'person', answer: 'yes', at: 40 }]);
      expect(await told()).toEqual([['expired', task.code, null]]);
      await tasks.finish([completion(task)], 50);
      expect(await told()).toEqual([]);
    });

    conform('the oldest pending question of each task is what the task waits for', async (world) => {
      const { task, asks } = await deviceTask(world);
      const { questions } = world.store;
      await questions.ask([asks('old')], 20);
      await questions.ask([asks('young')], 21);
      expect((await questions.waiting([task.id, 'none'])).map(({ id }) => id)).toEqual(['old']);
      await questions.answer('old', { answer: 'yes', by: 'ann' }, 30);
      expect((await questions.waiting([task.id])).map(({ id }) => id)).toEqual(['young']);
      expect(await questions.waiting([])).toEqual([]);
    });

    conform(
      'lists are newest first, by state, task and run, in pages; retention takes closed ones',
      async (world) => {
        const { task, asks } = await deviceTask(world);
        const { questions } = world.store;
        await asked(world);
        await questions.ask([asks('q2')], 20);
        const ids = async (filter: Parameters<typeof questions.list>[1], page = paging) =>
          (await questions.list('home', filter, page)).items.map(({ id }) => id);
        expect(await ids({})).toEqual(['q2', 'q1']);
        expect(await ids({}, { page: 2, perPage: 1 })).toEqual(['q1']);
        expect(await ids({ taskCode: task.code })).toEqual(['q2']);
        expect(await ids({ runId: 'run-1' })).toEqual(['q1']);
        await questions.withdrawOfRun('run-1');
        expect(await ids({ state: 'pending' })).toEqual(['q2']);
        expect(await questions.prune(10, 10)).toBe(0);
        expect(await questions.prune(1_000, 10)).toBe(1);
        expect(await ids({})).toEqual(['q2']);
      },
    );
  });
};
