namespace AspireStreaming.FailureSuite.Tests.Scenarios;

/// <summary>One way to break the system.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Target">What it breaks.</param>
/// <param name="BreakAsync">Breaks it and makes it whole again; returns when the fault is over.</param>
internal sealed record Scenario(string Name, Target Target, Func<Breakage, Task> BreakAsync)
{
    /// <summary>Whether the short form has it.</summary>
    public bool IsShort { get; init; }

    /// <summary>Whether random combinations may have it.</summary>
    public bool Combines { get; init; } = true;

    /// <summary>
    /// Whether events may be missing for a subscriber that is told so. Anywhere else the log has them all, and to announce one missing
    /// is wrong, too.
    /// </summary>
    public bool MayAnnounce { get; init; }

    /// <summary>Whether Redis lacks afterwards what it had acknowledged.</summary>
    public bool LosesData { get; init; }

    /// <summary>
    /// Whether a publisher ends, and with it what it holds for a Redis that loses data: both at once lose for good what is not archived
    /// yet, so they are not combined.
    /// </summary>
    public bool EndsPublishers { get; init; }

    public override string ToString() => Name;
}
