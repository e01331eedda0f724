import type { AssistantSources } from '../../controller/assistant/create-assistant.ts';
import { fromStored } from '../../controller/assistant/messages.ts';
import { OpenAiModel } from '../../controller/assistant/openai-model.ts';
import type { ControllerParts } from '../../controller/core.ts';
import type { AssistantRunRow } from '../../controller/store/assistant.ts';
import type { QuestionRow } from '../../controller/store/questions.ts';
import type { RunRow } from '../../controller/store/runs.ts';
import { AgentTaskRequest } from '../../shared/api/assistant.ts';
import { silentLogger } from '../../shared/node/logger.ts';
import { ChatServer, type Reply, type Script } from './chat-server.ts';
import { CoreUnderTest } from './core-under-test.ts';
import { silentModel } from './silent-model.ts';
import { until } from './until.ts';

/** The controller's core with a model behind real HTTP that says what a test scripts. */
export class AssistantUnderTest implements AsyncDisposable {
  readonly server: ChatServer;
  readonly controller: CoreUnderTest;

  /** What the controller is given when it starts again. */
  readonly more: Partial<ControllerParts>;

  private constructor(server: ChatServer, controller: CoreUnderTest, more: Partial<ControllerParts>) {
    this.server = server;
    this.more = more;
    this.controller = controller;
  }

  static async start(
    script: Script | Reply[],
    over: Partial<AssistantSources> = {},
  ): Promise<AssistantUnderTest> {
    const server = await ChatServer.start(script);
    const model = new OpenAiModel(
      {
        baseUrl: server.url,
        model: 'scripted',
        apiKey: undefined,
        timeoutMs: 30_000,
        maxOutputTokens: 1_000,
        stream: false,
        retryMs: 1,
        retries: 2,
      },
      silentLogger(),
    );
    const assistant = { ...silentModel, model, ...over };
    const more: Partial<ControllerParts> = { assistant };
    return new AssistantUnderTest(server, await CoreUnderTest.start({}, more), more);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.controller[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
  }

  /** Makes an agent task and returns the id of its run. */
  async ask(prompt: string, over: Partial<AgentTaskRequest> = {}): Promise<string> {
    const { core, actor, organization } = this.controller;
    const request = AgentTaskRequest.parse({ prompt, ...over });
    const { answer } = await core.agentTasks.submit({ actor, organization, request }, (one) =>
      core.submit(one),
    );
    return answer.run ?? '';
  }

  async row(run: string): Promise<AssistantRunRow> {
    const row = await this.controller.store.assistant.get(run);
    if (row === undefined) throw new Error(`there is no agent task ${run}`);
    return row;
  }

  /** Waits until it has ended. Time passes only when `pass` says so. */
  async ended(run: string, { passMs = 0 } = {}): Promise<AssistantRunRow> {
    let last: AssistantRunRow | undefined;
    return until(
      `agent task ${run} has ended`,
      async () => {
        if (passMs > 0) await this.controller.clock.advance(passMs);
        last = await this.row(run);
        return last.completedAt === null ? undefined : last;
      },
      { everyMs: 2, last: () => last },
    );
  }

  /** Waits for the next pending question. */
  async question(): Promise<QuestionRow> {
    const { core, organization } = this.controller;
    return until('a question waits', async () => (await core.questions.pending(organization.id))[0], {
      everyMs: 2,
    });
  }

  answer(question: QuestionRow, option: string): Promise<QuestionRow> {
    const actor = { ...this.controller.actor, name: 'approver@example.org' };
    return this.controller.core.questions.answer(actor, question.id, option);
  }

  async transcript(run: string) {
    return (await this.controller.store.assistant.messages(run, 0, 1_000)).map(fromStored);
  }

  /** Results of tools, in order, as the model saw them. */
  async results(run: string): Promise<string[]> {
    return (await this.transcript(run)).flatMap(({ role, text }) => (role === 'tool' ? [text] : []));
  }

  /** Runs that were made on devices, newest first. */
  async runs(): Promise<RunRow[]> {
    const { store, organization } = this.controller;
    const { items } = await store.runs.list(organization.id, { page: 1, perPage: 100 });
    return items.filter(({ type }) => type !== 'AGENT_TASK');
  }
}

/** What a model says that wants a task. */
export const propose = (
  type: string,
  devices: string[],
  parameters: object = {},
  waitSeconds = 60,
): Reply => ({
  calls: [
    [
      'propose_task',
      {
        task_type: type,
        parameters,
        targets: { devices },
        reason: 'It is needed.',
        wait_seconds: waitSeconds,
      },
    ],
  ],
});
