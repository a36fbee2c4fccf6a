/** Several clients at once. */

/** Waits for all of them, also when one fails: what the others are at is not to be cut off. */
export async function together(clients: number, work: (client: number) => Promise<void>): Promise<void> {
	const results = await Promise.allSettled(Array.from({ length: clients }, (_, client) => work(client)));
	const failed = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
	if (failed.length > 0) throw new AggregateError(failed, `${failed.length} of ${clients} clients failed`);
}
