import type { OnlineLink } from '../devices/online.ts';
import type { UntakenAnswer } from '../store/questions.ts';

/** Tells a device what became of its questions. It answers with what it took; hearing twice is harmless. */
export function sendAnswers(link: OnlineLink, answers: UntakenAnswer[]): void {
  for (const { id, code, answer } of answers) {
    link.send({ type: 'question.answer', code, question: id, answer });
  }
}
