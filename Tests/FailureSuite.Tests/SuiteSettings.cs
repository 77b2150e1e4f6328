using System.Globalization;

namespace AspireStreaming.FailureSuite.Tests;

/// <summary>How the suite runs: the environment's word, or the short form with the same seed every time.</summary>
internal static class SuiteSettings
{
    private const int ShortSeed = 20261120;

    /// <summary>Whether every scenario runs, each at its full length (<c>FAILURE_SUITE=full</c>).</summary>
    public static bool IsFull { get; } = string.Equals(Environment.GetEnvironmentVariable("FAILURE_SUITE"), "full", StringComparison.OrdinalIgnoreCase);

    /// <summary>What every random choice follows from (<c>FAILURE_SEED</c>); new for each full run unless given.</summary>
    public static int Seed { get; } = int.TryParse(Environment.GetEnvironmentVariable("FAILURE_SEED"), CultureInfo.InvariantCulture, out var seed)
        ? seed
        : IsFull ? Random.Shared.Next() : ShortSeed;

    /// <summary>The scenarios to run, whatever the form (<c>FAILURE_ONLY</c>, separated by commas); empty for those of the form.</summary>
    public static IReadOnlyList<string> Only { get; } =
        (Environment.GetEnvironmentVariable("FAILURE_ONLY") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>How many random combinations follow the scenarios.</summary>
    public static int Combinations { get; } = int.TryParse(
        Environment.GetEnvironmentVariable("FAILURE_COMBINATIONS"), CultureInfo.InvariantCulture, out var count)
            ? count
            : IsFull ? 6 : 1;
}
