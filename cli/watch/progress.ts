import type { WaitingQuestion } from '../../shared/api/questions.ts';
import type { Task } from '../../shared/api/tasks.ts';
import { formatDuration } from '../../shared/time.ts';
import { createPaint } from '../output/paint.ts';
import { plain } from '../output/plain.ts';
import type { OutStream, Terminal } from '../terminal.ts';
import { answerHint, optionsText } from '../views/question.ts';
import { messageOf } from '../views/task.ts';
import { isEnded } from './ended.ts';
import { summaryOf } from './outcome.ts';
import type { WatchObserver } from './watch.ts';

export interface Progress extends WatchObserver {
  /** Ends the live line, so that other output can follow. */
  end(): void;
}

export const silentProgress: Progress = { changed() {}, trouble() {}, end() {} };

/** Off a terminal: one line for each change of state. */
export function lineProgress(stderr: OutStream): Progress {
  return {
    changed(task, before) {
      if (before?.status !== task.status) stderr.write(`${changeText(task, before)}\n`);
      if (task.question !== null && asksAnew(task, before)) stderr.write(questionText(task, task.question));
    },
    trouble: (message) => stderr.write(`${troubleText(message)}\n`),
    end() {},
  };
}

/** On a terminal: one line that is redrawn, and above it a lasting line for each task that did not succeed. */
export class LiveProgress implements Progress {
  readonly #stderr: OutStream;
  readonly #clock: Terminal['clock'];
  readonly #known: ReadonlyMap<string, Task>;
  readonly #began: number;
  readonly #color: boolean;
  #trouble = '';
  readonly #timer: NodeJS.Timeout;

  constructor(
    { stderr, clock }: Pick<Terminal, 'stderr' | 'clock'>,
    known: ReadonlyMap<string, Task>,
    color: boolean,
  ) {
    this.#stderr = stderr;
    this.#clock = clock;
    this.#known = known;
    this.#color = color;
    this.#began = clock.monotonic();
    this.#timer = setInterval(() => this.#draw(), 1000).unref();
  }

  changed(task: Task, before: Task | undefined): void {
    if (isEnded(task) && task.status !== 'COMPLETED' && before?.status !== task.status) {
      const state = createPaint(this.#color, 'UTC').state(task.status);
      this.#stderr.write(`${clear}${state} ${task.device_name} ${task.task}${reason(task)}\n`);
    }
    if (task.question !== null && asksAnew(task, before)) {
      this.#stderr.write(`${clear}${questionText(task, task.question)}`);
    }
    this.#draw();
  }

  trouble(message: string | undefined): void {
    this.#trouble = message === undefined ? '' : `${message}; `;
    this.#draw();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#stderr.write(clear);
  }

  #draw(): void {
    const elapsed = formatDuration(Math.floor((this.#clock.monotonic() - this.#began) / 1000) * 1000);
    const line = `${this.#trouble}${summaryOf(this.#known.values())}  ${elapsed}${this.#current()}`;
    this.#stderr.write(`${clear}${plain(line).slice(0, (this.#stderr.columns || 80) - 1)}`);
  }

  /** What a single task says about itself. */
  #current(): string {
    const [task, ...others] = this.#known.values();
    if (task === undefined || others.length > 0) return '';
    const percent = task.progress === null ? '' : `  ${task.progress} %`;
    return `${percent}${task.message === null ? '' : `  ${task.message}`}`;
  }
}

const clear = '\r\x1b[K';

const asksAnew = (task: Task, before: Task | undefined): boolean =>
  before?.question?.id !== task.question?.id;

/** Lasting lines: somebody has to do something. */
const questionText = ({ device_name, task }: Task, question: WaitingQuestion): string =>
  plain(`${device_name} ${task} asks: ${question.prompt}`) +
  `\n  options: ${plain(optionsText(question))}\n  ${plain(answerHint(question))}\n`;

function changeText(task: Task, before: Task | undefined): string {
  const from = before === undefined ? '' : `${before.status} -> `;
  return `${task.device_name} ${task.task} ${from}${task.status}${isEnded(task) ? reason(task) : ''}`;
}

function reason(task: Task): string {
  const message = messageOf(task);
  return message === '' ? '' : `: ${plain(message)}`;
}

const troubleText = (message: string | undefined): string =>
  message === undefined ? 'The controller answers again' : `${message}; trying again`;
