import type { ChangeSchedule, CreateSchedule, CreateScheduledTask } from '../../shared/api/schedules.ts';
import type { Http } from './http.ts';
import { nothing } from './nothing.ts';
import { homeOf, type Paging } from './paging.ts';

const schemas = () => import('../../shared/api/schedules.ts');
const schedule = async () => (await schemas()).Schedule;
const scheduledTask = async () => (await schemas()).ScheduledTask;
const preview = async () => (await schemas()).Preview;

export const scheduleRoutes = (http: Http, organization: string) => {
  const all = `${homeOf(organization)}/schedules`;
  const tasks = `${homeOf(organization)}/scheduled-tasks`;
  const pathOf = (name: string) => `${all}/${encodeURIComponent(name)}`;
  const taskPath = (code: string) => `${tasks}/${encodeURIComponent(code)}`;
  return {
    list: (query: Paging) =>
      http.request('GET', all, { query, answer: async () => (await schemas()).ScheduleList }),

    describe: (name: string) => http.request('GET', pathOf(name), { answer: schedule }),

    create: (body: CreateSchedule) => http.request('POST', all, { body, answer: schedule }),

    change: (name: string, body: ChangeSchedule) =>
      http.request('PATCH', pathOf(name), { body, answer: schedule }),

    remove: (name: string) => http.request('DELETE', pathOf(name), { answer: nothing }),

    run: (name: string) =>
      http.request('POST', `${pathOf(name)}/run`, {
        body: {},
        answer: async () => (await schemas()).RunScheduleAnswer,
      }),

    firings: (name: string, query: Paging) =>
      http.request('GET', `${pathOf(name)}/firings`, {
        query,
        answer: async () => (await schemas()).FiringList,
      }),

    preview: (name: string, count: number) =>
      http.request('GET', `${pathOf(name)}/preview`, { query: { count }, answer: preview }),

    previewOf: (query: { cron: string; timezone: string; count: number }) =>
      http.request('GET', `${all}/preview`, { query, answer: preview }),

    tasks: (query: Paging & { schedule?: string }) =>
      http.request('GET', tasks, { query, answer: async () => (await schemas()).ScheduledTaskList }),

    addTask: (body: Omit<CreateScheduledTask, 'enabled'>) =>
      http.request('POST', tasks, { body, answer: scheduledTask }),

    setTaskEnabled: (code: string, enabled: boolean) =>
      http.request('PATCH', taskPath(code), { body: { enabled }, answer: scheduledTask }),

    removeTask: (code: string) => http.request('DELETE', taskPath(code), { answer: nothing }),
  };
};
