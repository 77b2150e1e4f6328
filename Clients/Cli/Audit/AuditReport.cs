namespace AspireStreaming.Cli.Audit;

/// <summary>What the audits of one or all streams found. Thread-safe while it grows.</summary>
internal sealed class AuditReport
{
    /// <summary>More streams with findings than this are only counted.</summary>
    public const int MaxListed = 1_000;

    private readonly Lock _lock = new();
    private readonly List<StreamAudit> _listed = [];
    private readonly List<(string Stream, string Reason)> _notAudited = [];

    /// <summary>Audited streams.</summary>
    public int Streams { get; private set; }

    public int StreamsWithFindings { get; private set; }

    public long Events { get; private set; }

    public long Dead { get; private set; }

    public long Holes { get; private set; }

    public long Duplicates { get; private set; }

    public long RepeatedIds { get; private set; }

    /// <summary>Streams whose beginning retention has dropped.</summary>
    public int Trimmed { get; private set; }

    /// <summary>Streams with events that were not archived yet.</summary>
    public int Behind { get; private set; }

    public int NotAuditedCount { get; private set; }

    /// <summary>Streams to show: those with findings, or the one that was asked for.</summary>
    public IReadOnlyList<StreamAudit> Listed => _listed;

    /// <summary>Streams that could not be audited, with the reason.</summary>
    public IReadOnlyList<(string Stream, string Reason)> NotAudited => _notAudited;

    public bool IsWell => StreamsWithFindings == 0 && NotAuditedCount == 0;

    /// <summary>Takes an audit in.</summary>
    /// <param name="audit">The audit.</param>
    /// <param name="list">Whether to show it even if all is well.</param>
    public void Add(StreamAudit audit, bool list)
    {
        lock (_lock)
        {
            Streams++;
            Events += audit.Events;
            Dead += audit.Dead;
            Holes += audit.HoleCount;
            Duplicates += audit.Duplicates;
            RepeatedIds += audit.RepeatedIds;
            Trimmed += audit.Trimmed ? 1 : 0;
            Behind += audit.IsBehind ? 1 : 0;
            StreamsWithFindings += audit.IsWell ? 0 : 1;
            if ((list || !audit.IsWell) && _listed.Count < MaxListed)
            {
                _listed.Add(audit);
            }
        }
    }

    /// <summary>Notes a stream that could not be audited.</summary>
    public void AddNotAudited(string stream, string reason)
    {
        lock (_lock)
        {
            NotAuditedCount++;
            if (_notAudited.Count < MaxListed)
            {
                _notAudited.Add((stream, reason));
            }
        }
    }

    /// <summary>Brings what is listed into an order that does not depend on who answered first.</summary>
    public void Sort()
    {
        _listed.Sort(static (left, right) => string.CompareOrdinal(left.Stream, right.Stream));
        _notAudited.Sort(static (left, right) => string.CompareOrdinal(left.Stream, right.Stream));
    }
}
