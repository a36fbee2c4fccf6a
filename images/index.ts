/** The door of the image room. */
export { openImageStore } from './image-store.ts';
export type { Reference } from './reference.ts';
export { formatReference, parseReference } from './reference.ts';
export type * from './types.ts';
