import { z } from 'zod';
import { ProtocolError, Welcome } from './hello.ts';
import { ReportAck } from './report.ts';
import { QuestionAnswer, TaskCancel, TaskForget, TaskOffer, TaskStart } from './task.ts';

/** Everything a controller may send. An unknown `type` is answered with `error` and is not fatal. */
export const Down = z.discriminatedUnion('type', [
  Welcome,
  TaskOffer,
  TaskStart,
  TaskForget,
  TaskCancel,
  QuestionAnswer,
  ReportAck,
  ProtocolError,
]);
export type Down = z.output<typeof Down>;
