import { Option } from '@commander-js/extra-typings';
import { wholeNumber } from './argument-parsers.ts';

/** Which page of a list. */
export const pageOption = () =>
  new Option('--page <number>', 'page, from 1').argParser(wholeNumber(1, 1_000_000)).default(1);

/** How many a page has; `noun` says of what. */
export const perPageOption = (noun: string) =>
  new Option('--per-page <number>', `${noun} per page, at most 100`)
    .argParser(wholeNumber(1, 100))
    .default(30);
