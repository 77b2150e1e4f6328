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

    public override string ToString() => Name;
}
