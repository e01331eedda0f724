import { z } from 'zod';
import { FactsReport, Hello, ProtocolError } from './hello.ts';
import { ReportBatch } from './report.ts';
import { TaskRefused } from './task.ts';

/** Everything an agent may send. An unknown `type` is answered with `error` and is not fatal. */
export const Up = z.discriminatedUnion('type', [Hello, ReportBatch, TaskRefused, FactsReport, ProtocolError]);
export type Up = z.output<typeof Up>;
