namespace AspireStreaming.Cli.Verify;

/// <summary>Something that is not as it should be.</summary>
/// <param name="Kind">
/// <c>hole</c>, <c>duplicate</c>, <c>disorder</c>, <c>missing</c>, <c>mismatch</c>, <c>archive-behind</c> or <c>file</c>.
/// </param>
/// <param name="Where">The tier: <c>archive</c>, <c>log</c>, <c>combined</c>; or the file.</param>
/// <param name="Position">The position or range concerned.</param>
/// <param name="Detail">A sentence.</param>
internal sealed record VerifyIssue(string Kind, string Where, string Position, string Detail);
