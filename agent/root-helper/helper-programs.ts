import { TaskError } from '../../shared/errors.ts';
import { Mux } from '../../shared/node/mux/mux.ts';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import type { EndCode } from '../../shared/tunnel/frame.ts';
import { Connect } from '../../shared/task-types/connect.ts';
import { withDeadline } from '../handlers/deadline.ts';
import type { ProgramsElsewhere } from '../handlers/connect.ts';
import type { HandlerContext, Interrupted } from '../handlers/handler.ts';
import { type SessionPrograms, uploadMs } from '../handlers/serve-session.ts';
import { lost, openHelper } from './helper-connection.ts';
import type { HelperAnswer, HelperOutcome, HelperRequest } from './messages.ts';
import type { Channel } from './channel.ts';
import { type RemoteHelper, remoteHandler, runRequest } from './remote-handler.ts';

/** Beyond the upload of recordings: what the helper needs to end everything. */
const endMs = uploadMs + 30_000;

/** Shells and commands of sessions are started by the root helper, which sees the signed order of each session itself. */
export const helperPrograms = (helper: RemoteHelper): ProgramsElsewhere => ({
  begin: (context) => new HelperPrograms(helper, context),
  recover: (interrupted, context) => pickUp(helper, interrupted, context),
});

/** The helper brings recordings away that it left behind. What else it says changes nothing: the session is over. */
async function pickUp(
  helper: RemoteHelper,
  interrupted: Interrupted,
  context: HandlerContext,
): Promise<void> {
  const remote = remoteHandler(Connect, helper);
  await remote.recover?.({}, interrupted, context).catch((error: unknown) => {
    if (isLost(error)) context.output('agent', `recordings of this session may be missing: ${error.message}`);
  });
}

/**
 * The agent's end of one session's part in the root helper.
 *
 * - The order is shown when the session begins, once; what the helper refuses then is told to every stream that is opened later.
 * - A stream here is a stream there: the agent hands bytes on, as fast as the slower side takes them.
 * - A helper that went away is not asked for programs again in this session, only for the recordings that it left.
 */
class HelperPrograms implements SessionPrograms {
  readonly #helper: RemoteHelper;
  readonly #context: HandlerContext;
  readonly #startedAt: number;
  readonly #begun: Promise<Channel<HelperRequest>>;
  readonly #outcome = Promise.withResolvers<HelperOutcome>();
  #mux: Mux | undefined;
  /** Why nothing can be opened any more. */
  #over: TaskError | undefined;
  #end: Promise<string[]> | undefined;

  constructor(helper: RemoteHelper, context: HandlerContext) {
    this.#helper = helper;
    this.#context = context;
    this.#startedAt = context.clock.now();
    this.#begun = this.#begin();
    this.#begun.catch(() => undefined); // told to whoever opens a stream
    this.#outcome.promise.catch(() => undefined);
  }

  async open(request: Uint8Array): Promise<MuxStream> {
    await this.#begun;
    if (this.#over || !this.#mux) throw this.#over ?? lost('it was never reached');
    return this.#mux.open(request);
  }

  end(): Promise<string[]> {
    this.#end ??= this.#endOnce();
    return this.#end;
  }

  async #begin(): Promise<Channel<HelperRequest>> {
    const request = runRequest(this.#helper, this.#context);
    const channel = await openHelper(this.#helper.path, {
      message: (message) => this.#told(message),
      closed: (reason) => this.#lost(reason),
    });
    channel.send(request);
    this.#mux = new Mux(channel.bytes, {
      side: 'operator',
      windowBudgetBytes: 0,
      onClose: (_code, message) => {
        this.#over ??= new TaskError(
          'refused',
          `The root helper has ended its part of this session: ${message}`,
        );
      },
    });
    return channel;
  }

  #told(message: HelperAnswer): void {
    if (message.type === 'output') this.#context.output(message.stream, message.text);
    if (message.type !== 'end') return;
    const { outcome } = message;
    this.#outcome.resolve(outcome);
    if (outcome.kind !== 'failed') {
      return this.#close('refused', 'refused', 'The root helper has ended its part of this session');
    }
    this.#close(outcome.code === 'policy' ? 'policy' : 'refused', outcome.code, outcome.message);
  }

  #lost(reason: string): void {
    this.#outcome.reject(lost(reason));
    this.#close(
      'peerLost',
      'helper_lost',
      `The root helper of this device went away, and with it the shells and commands of this session: ${reason}`,
    );
  }

  #close(code: EndCode, ...[name, message]: [string, string]): void {
    this.#over ??= new TaskError(name, message);
    this.#mux?.close(code, message);
  }

  async #endOnce(): Promise<string[]> {
    const { clock } = this.#context;
    const channel = await this.#begun.catch(() => undefined);
    if (!channel) return [];
    // Not the signal of the task: it may have been what ended the session.
    const parts = { clock, ms: endMs, signal: new AbortController().signal };
    try {
      this.#close('closedByPerson', 'refused', 'This session is over');
      return recordingsOf(await withDeadline(parts, () => this.#outcome.promise));
    } catch {
      await withDeadline(parts, (signal) => this.#pickUp(signal)).catch(() => undefined);
      return [];
    } finally {
      channel.close();
    }
  }

  async #pickUp(signal: AbortSignal): Promise<void> {
    const { system, instanceId } = this.#context;
    const bootId = await system.power.bootId();
    const interrupted = { bootId, instanceId, currentBootId: bootId, startedAt: this.#startedAt };
    await pickUp(this.#helper, interrupted, { ...this.#context, signal });
  }
}

const isLost = (error: unknown): error is TaskError =>
  error instanceof TaskError && error.code === 'helper_lost';

function recordingsOf(outcome: HelperOutcome): string[] {
  if (outcome.kind === 'rerun') return [];
  const { recordings } = (outcome.result ?? {}) as { recordings?: unknown };
  return Array.isArray(recordings) ? recordings.map(String) : [];
}
