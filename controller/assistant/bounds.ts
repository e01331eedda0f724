import type { Instant } from '../../shared/clock.ts';
import type { AssistantRunRow } from '../store/assistant.ts';
import type { ChatAnswer, ChatMessage } from './chat-model.ts';
import { RunFailure } from './run-failure.ts';

/** Everything that was said and seen in one run. */
const maxTranscriptBytes = 4 * 1024 * 1024;
/** What a run answers in the end. */
const maxAnswerCharacters = 65_536;
/** Answers that nothing could be done with, one after the other. */
const maxMistakes = 5;

/** Throws what the run fails with when it may not go on. */
export function requireTime({ deadlineAt, timeoutMs }: AssistantRunRow, now: Instant): void {
  if (deadlineAt !== null && now >= deadlineAt) {
    throw new RunFailure('timed_out', `There was no answer within ${timeoutMs / 1000} seconds`);
  }
}

/** Throws what the run fails with when the model may not be asked once more. */
export function requireStep(run: AssistantRunRow): void {
  const { steps, maxSteps, tokensIn, tokensOut, maxTokens, transcriptBytes, mistakes } = run;
  if (mistakes >= maxMistakes) {
    throw new RunFailure(
      'model_nonsense',
      `Nothing could be done with ${mistakes} answers of the model one after the other`,
    );
  }
  if (steps >= maxSteps) {
    throw new RunFailure('steps_exceeded', `There was no answer after ${steps} steps: that is the most`);
  }
  if (tokensIn + tokensOut >= maxTokens) {
    throw new RunFailure(
      'tokens_exceeded',
      `There was no answer after ${tokensIn + tokensOut} tokens: expected at most ${maxTokens}`,
    );
  }
  if (transcriptBytes >= maxTranscriptBytes) {
    throw new RunFailure(
      'transcript_too_large',
      `There was no answer after ${transcriptBytes} bytes of messages: expected at most ${maxTranscriptBytes}`,
    );
  }
}

export function requireShortAnswer(text: string): void {
  if (text.length <= maxAnswerCharacters) return;
  throw new RunFailure(
    'output_too_large',
    `The answer is too long: ${text.length} characters, expected at most ${maxAnswerCharacters}`,
  );
}

/** What the endpoint counted; else guessed from the bytes, so that the bound holds without it too. */
export function tokensOf(
  messages: ChatMessage[],
  answer: ChatAnswer,
): { tokensIn: number; tokensOut: number } {
  const guess = (value: unknown) => Math.ceil(Buffer.byteLength(JSON.stringify(value)) / 4);
  return {
    tokensIn: answer.tokensIn ?? guess(messages),
    tokensOut: answer.tokensOut ?? guess([answer.text, answer.toolCalls]),
  };
}
