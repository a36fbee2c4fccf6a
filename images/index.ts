/** The door of the image room. */
export type * from './types.ts';
