/** How the bytes of an input come: in pieces whose sizes depend on the input alone. */
export async function* pieces(input: Buffer): AsyncGenerator<Buffer> {
	yield* pieceList(input);
}

export function pieceList(input: Buffer): Buffer[] {
	const sizes = [input.length, 1 + ((input[0] ?? 0) % 7), 512, 1000];
	const size = Math.max(sizes[input.length % sizes.length] ?? 1, Math.ceil(input.length / 4096), 1);
	return Array.from({ length: Math.ceil(input.length / size) }, (_, index) =>
		input.subarray(index * size, (index + 1) * size),
	);
}
