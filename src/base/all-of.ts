/**
 * As Promise.all, but settles when all have: whoever takes back what they made must not do it while one still makes
 * something. Of several errors the first in the list is thrown.
 */
export async function allOf<T extends readonly unknown[]>(
	promises: readonly [...{ [I in keyof T]: Promise<T[I]> }],
): Promise<T> {
	await Promise.allSettled(promises);
	return (await Promise.all(promises)) as unknown as T;
}
