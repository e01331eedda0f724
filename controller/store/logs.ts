import type { Instant } from '../../shared/clock.ts';

export interface NewLogLine {
  taskId: string;
  /** Counts per task, from 1; a gap row stands at the first line it replaces. */
  line: number;
  stream: 'stdout' | 'stderr' | 'agent' | 'gap';
  at: Instant;
  text: string;
}

export interface LogRow extends NewLogLine {
  cursor: number;
}

/** Output of tasks. A line is stored once: (task, line) is unique, and a second one is ignored. */
export interface LogStore {
  append(lines: NewLogLine[]): Promise<void>;
  /** In order of line, after the cursor. */
  read(taskId: string, after: number, limit: number): Promise<LogRow[]>;
}
