using AspireStreaming.Client;

namespace AspireStreaming.Cli.Verify;

/// <summary>What a verification found.</summary>
/// <param name="stream">The stream as the API described it.</param>
internal sealed class VerifyReport(StreamInfo stream)
{
    /// <summary>More issues of a kind than this are only counted.</summary>
    public const int MaxListed = 20;

    private readonly List<VerifyIssue> _issues = [];
    private readonly Dictionary<string, long> _counts = [];

    public StreamInfo Stream { get; } = stream;

    public required DensityCheck Archive { get; init; }

    public required DensityCheck Log { get; init; }

    public required DensityCheck Combined { get; init; }

    /// <summary>Holes that the API announced to readers.</summary>
    public required IReadOnlyList<StreamGap> Announced { get; init; }

    /// <summary>Lines of the file that the data was compared with; null without a file.</summary>
    public long? FileLines { get; set; }

    public bool IsWell => _counts.Count == 0;

    /// <summary>The first issues of each kind.</summary>
    public IReadOnlyList<VerifyIssue> Issues => _issues;

    public long CountOf(string kind) => _counts.GetValueOrDefault(kind);

    /// <summary>Counts per kind, for those that were found.</summary>
    public IEnumerable<KeyValuePair<string, long>> Counts => _counts;

    public void Add(string kind, string where, string position, string detail)
    {
        var count = _counts[kind] = CountOf(kind) + 1;
        if (count <= MaxListed)
        {
            _issues.Add(new VerifyIssue(kind, where, position, detail));
        }
    }
}
