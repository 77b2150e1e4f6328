namespace Aspire.Hosting.Local;

/// <summary>
/// What to run. <paramref name="Environment"/> is complete: nothing is inherited from the host.
/// <paramref name="RunAsUser"/> takes effect only when the host runs as root.
/// </summary>
internal sealed record ProcessSpec(
    string FileName,
    IReadOnlyList<string> Arguments,
    string WorkingDirectory,
    IReadOnlyDictionary<string, string> Environment,
    string? RunAsUser = null)
{
    /// <summary>What asks the program to end, first of all.</summary>
    public ProcessSignal StopSignal { get; init; } = ProcessSignal.Term;

    /// <summary>Whether <see cref="StopSignal"/> goes to the whole process group or only to the program.</summary>
    public bool StopsWholeGroup { get; init; } = true;
}
