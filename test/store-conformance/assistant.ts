import { describe, expect } from 'vitest';
import type { NewProposal } from '../../controller/store/assistant.ts';
import type { Conform, World } from './world.ts';

const said = (content: string) => ({ at: 5, role: 'user' as const, content });
const spent = { steps: 1, tokensIn: 10, tokensOut: 2, mistakes: 1 };
const key = { runId: 'run', seq: 1, place: 0 };
const proposal: NewProposal = {
  ...key,
  taskType: 'PING',
  kind: 'RUN',
  request: '{}',
  status: 'waiting',
  questionId: 'question',
  decidedBy: null,
  createdAt: 5,
};

async function agentTask(world: World, runId = 'run', createdAt = 5): Promise<void> {
  await world.run(runId, { type: 'AGENT_TASK', total: 0, createdAt });
  await world.store.assistant.insert({
    runId,
    organizationId: 'home',
    prompt: 'Hello?',
    allowTaskTypes: ['PING'],
    maxSteps: 25,
    maxTokens: 1_000,
    timeoutMs: 60_000,
    createdBy: 'ops@example.org',
    createdAt,
  });
}

export const describeAssistant = (conform: Conform) =>
  describe('agent tasks', () => {
    conform('one is open until it has ended, which it does once', async (world) => {
      const { assistant, runs } = world.store;
      await agentTask(world);
      await assistant.begin('run', 10);
      await assistant.begin('run', 20);
      await assistant.setStatus('run', 'waiting');
      expect(await assistant.open(10)).toMatchObject([
        { runId: 'run', status: 'waiting', startedAt: 10, deadlineAt: 60_010, allowTaskTypes: ['PING'] },
      ]);
      expect(await assistant.countOpen('home')).toBe(1);
      expect(await assistant.countOpen('away')).toBe(0);
      expect(await runs.get('home', 'run')).toMatchObject({ agentStatus: 'waiting', completedAt: null });
      expect(await assistant.end('run', { status: 'completed', answer: 'Hello.' }, 30)).toBe(true);
      expect(await assistant.end('run', { status: 'failed' }, 40)).toBe(false);
      await assistant.setStatus('run', 'running');
      expect(await assistant.get('run')).toMatchObject({
        status: 'completed',
        answer: 'Hello.',
        completedAt: 30,
      });
      expect(await runs.get('home', 'run')).toMatchObject({ agentStatus: 'completed', completedAt: 30 });
      expect(await assistant.open(10)).toEqual([]);
    });

    conform('messages are added to what the writer knows, and to nothing else', async (world) => {
      const { assistant } = world.store;
      await agentTask(world);
      expect(await assistant.append('run', 0, [said('a'), said('b')], spent)).toBe(true);
      expect(await assistant.append('run', 0, [said('late')], spent)).toBe(false);
      expect(await assistant.append('run', 2, [said('c')], { ...spent, mistakes: 0 })).toBe(true);
      expect((await assistant.messages('run', 1, 10)).map(({ seq, content }) => [seq, content])).toEqual([
        [2, 'b'],
        [3, 'c'],
      ]);
      const totals = { steps: 2, tokensIn: 20, tokensOut: 4, mistakes: 0, transcriptBytes: 3 };
      expect(await assistant.get('run')).toMatchObject(totals);
      await assistant.end('run', { status: 'cancelled' }, 30);
      expect(await assistant.append('run', 3, [said('late')], spent)).toBe(false);
    });

    conform('a proposal is made once and moves once, while its run is open', async (world) => {
      const { assistant } = world.store;
      await agentTask(world);
      const move = { from: 'waiting', to: 'approved', by: 'ops@example.org' } as const;
      expect(await assistant.propose(proposal)).toBe(true);
      expect(await assistant.propose({ ...proposal, taskType: 'REBOOT' })).toBe(false);
      expect(await assistant.submitted(key, { run: 'made', waitUntil: 9 })).toBe(false);
      expect(await assistant.decide(key, move)).toBe(true);
      expect(await assistant.decide(key, move)).toBe(false);
      expect(await assistant.submitted(key, { run: 'made', waitUntil: 9 })).toBe(true);
      expect(await assistant.submitted(key, { run: 'again', waitUntil: 9 })).toBe(false);
      expect(await assistant.proposals('run')).toEqual([
        { ...proposal, status: 'submitted', decidedBy: move.by, madeRun: 'made', waitUntil: 9 },
      ]);
      await assistant.propose({ ...proposal, place: 1 });
      await assistant.end('run', { status: 'cancelled' }, 30);
      expect(await assistant.decide({ ...key, place: 1 }, move)).toBe(false);
      expect(await assistant.propose({ ...proposal, place: 2 })).toBe(false);
    });

    conform('runs are found by how their agent task is, and stay while it is open', async (world) => {
      const { assistant, runs } = world.store;
      const ends = { completed: 'COMPLETED', failed: 'FAILED', cancelled: 'CANCELLED' } as const;
      await agentTask(world, 'open');
      for (const status of ['completed', 'failed', 'cancelled'] as const) {
        await agentTask(world, status);
        await assistant.end(status, { status }, 30);
      }
      const paging = { page: 1, perPage: 10 };
      const found = async (status: 'IN_PROGRESS' | 'STOPPED' | (typeof ends)[keyof typeof ends]) =>
        (await runs.list({ organizationId: 'home', status }, paging)).items.map(({ id }) => id);
      expect(await found('IN_PROGRESS')).toEqual(['open']);
      for (const [id, status] of Object.entries(ends)) expect(await found(status)).toEqual([id]);
      expect(await found('STOPPED')).toEqual([]);
      expect(await runs.prune(1_000)).toBe(3);
      expect(await assistant.get('completed')).toBeUndefined();
      expect(await assistant.get('open')).toBeDefined();
    });
  });
