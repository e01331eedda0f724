import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { parse } from '../../shared/parse.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { AssistantRunRow, Spent } from '../store/assistant.ts';
import type { Store } from '../store/store.ts';
import { asData } from './as-data.ts';
import { requireShortAnswer, requireStep, requireTime, tokensOf } from './bounds.ts';
import type { ChatMessage, ChatModel, ToolCall } from './chat-model.ts';
import { instructions } from './instructions.ts';
import { fromStored, toStored } from './messages.ts';
import type { Proposals } from './proposals.ts';
import { Proposal, proposeName, readTools, toolDescriptions } from './tools/tools.ts';
import type { ReadParts } from './tools/read-tool.ts';

export interface ConversationParts {
  store: Store;
  clock: Clock;
  model: ChatModel;
  reads: ReadParts;
  proposals: Proposals;
}

/** What one step came to: there is more to do, something is waited for, the answer, or somebody else works on it. */
export type Step =
  | { kind: 'more' }
  | { kind: 'waiting' }
  | { kind: 'answer'; text: string }
  | { kind: 'lost' };

/** The result of one call, for the model; `isMistake` when the call itself was wrong. */
interface CallResult {
  text: string;
  isMistake: boolean;
}

/** Messages read in one go: more than any run can have. */
const maxMessages = 10_000;
/** Calls in one message of the model that are looked at. */
const maxCalls = 16;

/**
 * One step of a run. What to do follows from what is stored, so that a step can be done by whoever comes next: everything that was said
 * or seen is stored before anything follows from it.
 *
 * - Nothing said yet: say what it is about.
 * - The last word of the model asks for tools that have no result: call the next one. Reading twice is harmless; proposing is kept
 *   by its place in the conversation.
 * - The last word of the model is an answer: done.
 * - Else: ask the model.
 */
export async function takeStep(
  parts: ConversationParts,
  run: AssistantRunRow,
  organization: OrganizationRow,
  signal: AbortSignal,
): Promise<Step> {
  const { store, clock } = parts;
  requireTime(run, clock.now());
  const stored = await store.assistant.messages(run.runId, 0, maxMessages);
  const messages = stored.map(fromStored);
  const say = async (next: ChatMessage[], spent: Partial<Spent> = {}): Promise<Step> => {
    const at = clock.now();
    const all = { steps: 0, tokensIn: 0, tokensOut: 0, mistakes: run.mistakes, ...spent };
    const isWritten = await store.transaction((tables) =>
      tables.assistant.append(
        run.runId,
        stored.length,
        next.map((message) => toStored(message, at)),
        all,
      ),
    );
    return { kind: isWritten ? 'more' : 'lost' };
  };

  if (messages.length === 0) {
    return say([
      { role: 'system', text: instructions },
      { role: 'user', text: run.prompt },
    ]);
  }
  const open = openCall(messages);
  if (open !== undefined) {
    const key = { runId: run.runId, seq: open.seq, place: open.place };
    const result = await callTool(parts, run, organization, { key, call: open.call });
    if (result === undefined) return { kind: 'waiting' };
    const message = { role: 'tool', text: result.text, toolCallId: open.call.id } as const;
    return say([message], { mistakes: result.isMistake ? run.mistakes + 1 : 0 });
  }
  const last = messages.at(-1);
  if (last?.role === 'assistant') {
    if (last.text.trim() === '') {
      return say([{ role: 'user', text: 'Your answer was empty. Use a tool, or answer in words.' }], {
        mistakes: run.mistakes + 1,
      });
    }
    requireShortAnswer(last.text);
    return { kind: 'answer', text: last.text };
  }
  requireStep(run);
  const answer = await parts.model.ask(messages, toolDescriptions, signal);
  const { text, toolCalls, isCut } = answer;
  const said: ChatMessage[] = [{ role: 'assistant', text, toolCalls }];
  const isUseless = isCut && toolCalls.length === 0;
  if (isUseless) {
    said.push({ role: 'user', text: 'Your answer was cut because it was too long. Answer shorter.' });
  }
  return say(said, {
    steps: 1,
    ...tokensOf(messages, answer),
    ...(isUseless && { mistakes: run.mistakes + 1 }),
  });
}

/** The first call of the model’s last word that has no result yet. */
function openCall(messages: ChatMessage[]): { seq: number; place: number; call: ToolCall } | undefined {
  const at = messages.findLastIndex(({ role }) => role === 'assistant');
  const said = messages[at];
  if (said?.role !== 'assistant') return undefined;
  const place = messages.slice(at + 1).filter(({ role }) => role === 'tool').length;
  const call = said.toolCalls[place];
  return call === undefined ? undefined : { seq: at + 1, place, call };
}

/** Undefined while it is waited for. Whatever is wrong with a call is told to the model. */
async function callTool(
  parts: ConversationParts,
  run: AssistantRunRow,
  organization: OrganizationRow,
  { key, call }: { key: { runId: string; seq: number; place: number }; call: ToolCall },
): Promise<CallResult | undefined> {
  try {
    if (key.place >= maxCalls) throw mistake(`at most ${maxCalls} calls of tools at a time are looked at`);
    const args = readArguments(call);
    if (call.name === proposeName) {
      const wish = parse('arguments', Proposal, args);
      const state = await parts.proposals.advance(run, organization, { key, wish });
      return state.kind === 'waiting' ? undefined : { text: asData(state.result), isMistake: false };
    }
    const tool = readTools.find(({ name }) => name === call.name);
    if (tool === undefined) throw mistake(`there is no tool ${call.name.slice(0, 100)}`);
    const result = await tool.read(parts.reads, organization, parse('arguments', tool.parameters, args));
    return { text: asData(result), isMistake: false };
  } catch (error) {
    if (!(error instanceof AppError) || error.status >= 500) throw error;
    return { text: asData({ error: error.message, code: error.code }), isMistake: true };
  }
}

function readArguments({ arguments: text }: ToolCall): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('bad_request', 'the arguments are not JSON', { cause });
  }
}

const mistake = (text: string): AppError => new AppError('bad_request', text);
