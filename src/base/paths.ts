/** Whether `path` is `folder` or lies below it, by their names alone: both absolute and normalized, links not looked at. */
export const isWithin = (path: string, folder: string): boolean =>
	folder === '/' || path === folder || path.startsWith(`${folder}/`);
