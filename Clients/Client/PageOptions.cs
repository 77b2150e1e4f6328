namespace AspireStreaming.Client;

/// <summary>Which page of a stream to read.</summary>
public sealed record PageOptions
{
    /// <summary>Where it starts; null = the beginning, or the end when <see cref="Descending"/>.</summary>
    public StartAt? From { get; init; }

    /// <summary>Most events, 1 to 1,000. Default 100.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>From the newest down.</summary>
    public bool Descending { get; init; }

    /// <summary>How long to wait for a first event when there is none, up to 60 s. Default: not at all.</summary>
    public TimeSpan Wait { get; init; }

    /// <summary>Only events of these types; empty = all. Such a page may be empty and not caught up.</summary>
    public IReadOnlyCollection<string> Types { get; init; } = [];

    /// <summary><c>archive</c> or <c>log</c>; null = both, as readers see them.</summary>
    internal string? Tier { get; init; }

    internal string ToQuery()
    {
        var from = From is { } start ? "&from=" + Uri.EscapeDataString(start.ToString()) : "";
        var order = Descending ? "&order=desc" : "";
        var wait = Wait > TimeSpan.Zero ? $"&wait={(int)Math.Ceiling(Wait.TotalSeconds)}" : "";
        var types = Types.Count > 0 ? "&types=" + string.Join(',', Types.Select(Uri.EscapeDataString)) : "";
        return $"?limit={Limit}{from}{order}{wait}{types}{(Tier is null ? "" : "&tier=" + Tier)}";
    }
}
