import { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { parse } from '../../shared/parse.ts';
import type { SignedKeyChange } from '../../shared/protocol/key-change.ts';
import type { ProbeAttempt } from '../../shared/task-types/sync.ts';
import type { TaskContract } from '../../shared/task-types/task-type.ts';
import { unreachable } from '../../shared/unreachable.ts';
import type { Handler, HandlerContext, Interrupted } from '../handlers/handler.ts';
import type { Channel } from './channel.ts';
import { lost, openHelper } from './helper-connection.ts';
import type { HelperAnswer, HelperOutcome, HelperRequest } from './messages.ts';

export interface RemoteHelper {
  /** Of its socket. */
  path: string;
  controllerNow(): number;
  /** How the key of the controller changed; the helper verifies it. */
  keyChanges?(): SignedKeyChange[];
  /** Asks the controller over a new connection, from here. */
  probe?(transaction: string, timeoutMs: number, signal: AbortSignal): Promise<ProbeAttempt>;
}

const Wish = z.object({
  prompt: z.string(),
  options: z.array(z.string()),
  safe: z.string().nullish(),
  deadlineMs: z.number().optional(),
});

const ProbeWish = z.object({ transaction: z.string().max(64), timeoutMs: z.number().min(0).max(60_000) });

/** SYNC may take as long to come back from as its own commands take. */
const stopsWithinMs = 600_000;
const maxTries = 3;
const askAgainMs = 2_000;

/** Runs tasks of a type in the root helper: the signed order goes there, output and the end come back. */
export function remoteHandler(contract: TaskContract, helper: RemoteHelper): Handler {
  return {
    contract,
    stopsWithinMs,
    run: (_parameters, context) => runThere(helper, context),
    recover: (_parameters, interrupted, context) => runThere(helper, context, interrupted),
  };
}

/** Only what is asked as another user needs the root helper. */
export function handlerByUser(own: Handler, remote: Handler, ownUser: string): Handler {
  const chosen = (parameters: unknown): Handler => {
    const { user } = parameters as { user?: string };
    return user === undefined || user === ownUser ? own : remote;
  };
  return {
    contract: own.contract,
    run: (parameters, context) => chosen(parameters).run(parameters, context),
    recover: (parameters, interrupted, context) => {
      const { recover } = chosen(parameters);
      if (!recover) throw new TaskError('interrupted', 'The agent stopped in the middle');
      return recover(parameters, interrupted, context);
    },
  };
}

/** A helper that went away in the middle is asked again, as after a crash: its own records decide what that means. */
async function runThere(
  helper: RemoteHelper,
  context: HandlerContext,
  interrupted?: Interrupted,
): Promise<unknown> {
  const { system, clock, signal, instanceId } = context;
  let known = interrupted;
  for (let left = maxTries - 1; ; left -= 1) {
    const startedAt = clock.now();
    const bootId = await system.power.bootId();
    try {
      return await askOnce(helper, context, known);
    } catch (error) {
      const isLost = error instanceof TaskError && error.code === 'helper_lost';
      if (!isLost || left === 0 || signal.aborted) throw error;
      known ??= { bootId, instanceId, currentBootId: bootId, startedAt };
      await clock.sleep(askAgainMs, signal);
    }
  }
}

async function askOnce(
  helper: RemoteHelper,
  context: HandlerContext,
  interrupted: Interrupted | undefined,
): Promise<unknown> {
  const { signal } = context;
  const request = runRequest(helper, context, interrupted);
  signal.throwIfAborted();
  const end = Promise.withResolvers<HelperOutcome>();
  const withdrawals = new Map<number, AbortController>();
  const channel = await openHelper(helper.path, {
    message: (message) => obey(message, { helper, channel, context, withdrawals, end: end.resolve }),
    closed: (reason) => end.reject(lost(reason)),
  });
  const stop = (): void => channel.send({ type: 'stop', ...told(signal.reason) });
  signal.addEventListener('abort', stop, { once: true });
  try {
    channel.send(request);
    return valueOf(await end.promise);
  } finally {
    signal.removeEventListener('abort', stop);
    channel.close();
  }
}

/** Asks for the task of the order that `context` holds. */
export function runRequest(
  helper: RemoteHelper,
  { order, instanceId }: HandlerContext,
  interrupted?: Interrupted,
): HelperRequest {
  if (!order) throw new TaskError('internal', 'The signed order of this task is not known any more');
  const controllerTime = helper.controllerNow();
  const keyChanges = helper.keyChanges?.() ?? [];
  const known = { instanceId, controllerTime, keyChanges, ...(interrupted && { interrupted }) };
  return { type: 'run', ...order, ...known };
}

function valueOf(outcome: HelperOutcome): unknown {
  switch (outcome.kind) {
    case 'completed':
      return outcome.result;
    case 'rerun':
      return 'rerun';
    case 'failed': {
      const { code, message, result } = outcome;
      throw new TaskError(code, message, result ? { result } : {});
    }
    default:
      return unreachable(outcome);
  }
}

interface Obeying {
  helper: RemoteHelper;
  channel: Channel<HelperRequest>;
  context: HandlerContext;
  /** Of the questions that are asked, by the number of their call. */
  withdrawals: Map<number, AbortController>;
  end: (outcome: HelperOutcome) => void;
}

function obey(message: HelperAnswer, obeying: Obeying): void {
  const { channel, context, end, withdrawals } = obeying;
  switch (message.type) {
    case 'output':
      return context.output(message.stream, message.text);
    case 'progress': {
      const { type: _type, ...progress } = message;
      return context.progress(progress as Parameters<HandlerContext['progress']>[0]);
    }
    case 'call':
      return void callHere(message, obeying).then(
        (value) => channel.send({ type: 'returned', id: message.id, value }),
        (error: unknown) => channel.send({ type: 'threw', id: message.id, ...told(error) }),
      );
    case 'end':
      return end(message.outcome);
    case 'withdraw':
      return withdrawals.get(message.id)?.abort(new Error('withdrawn'));
    case 'described':
    case 'taken':
      return undefined;
    default:
      return unreachable(message);
  }
}

async function callHere(
  { id, name, argument }: Extract<HelperAnswer, { type: 'call' }>,
  { helper, context, withdrawals }: Obeying,
): Promise<unknown> {
  switch (name) {
    case 'reportPhase':
      return context.reportPhase(String(argument['phase']), String(argument['message']));
    case 'ask': {
      const withdrawn = new AbortController();
      withdrawals.set(id, withdrawn);
      const wish = parse('a question of the root helper', Wish, argument);
      return context.ask(wish, withdrawn.signal).finally(() => withdrawals.delete(id));
    }
    case 'probe': {
      const { transaction, timeoutMs } = parse('a probe that the root helper wants', ProbeWish, argument);
      if (!helper.probe) throw new TaskError('internal', 'This agent cannot probe its controller');
      return helper.probe(transaction, timeoutMs, context.signal);
    }
    default:
      return unreachable(name);
  }
}

const told = (error: unknown): { code: string; message: string } =>
  error instanceof TaskError
    ? { code: error.code, message: error.message }
    : { code: 'internal', message: error instanceof Error ? error.message : String(error) };
