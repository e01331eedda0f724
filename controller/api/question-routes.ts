import { z } from 'zod';
import { AnswerQuestion, Question, QuestionList, QuestionQuery } from '../../shared/api/questions.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Route, route } from './route.ts';
import { showQuestion } from './show-question.ts';

const root = '/api/v1/organizations/:organization/questions';
const tag = 'questions';
const QuestionPath = OrganizationPath.extend({ question: z.string().max(64).describe('id') });

const list = route({
  method: 'GET',
  path: root,
  role: 'viewer',
  tag,
  summary: 'List what tasks and runs ask people, newest first',
  params: OrganizationPath,
  query: QuestionQuery,
  answer: QuestionList,
  handle: async ({ parts, principal, query }) => {
    const filter = {
      ...(query.state === undefined ? {} : { state: query.state }),
      ...(query.task === undefined ? {} : { taskCode: query.task }),
      ...(query.run === undefined ? {} : { runId: query.run }),
    };
    const page = await parts.core.questions.list(principal.organization.id, filter, pagingOf(query));
    return listPage(page, query, showQuestion);
  },
});

const describe = route({
  method: 'GET',
  path: `${root}/:question`,
  role: 'viewer',
  tag,
  summary: 'Describe one question',
  params: QuestionPath,
  answer: Question,
  handle: async ({ parts, principal, params }) =>
    showQuestion(await parts.core.questions.get(principal.organization.id, params.question)),
});

const answer = route({
  method: 'POST',
  path: `${root}/:question/answer`,
  role: 'operator',
  tag,
  summary: 'Answer a question with one of its options, once',
  params: QuestionPath,
  body: AnswerQuestion,
  answer: Question,
  errors: ['conflict'],
  handle: async ({ parts, actor, params, body }) =>
    showQuestion(await parts.core.questions.answer(actor, params.question, body.answer)),
});

export const questionRoutes: Route[] = [list, describe, answer];
