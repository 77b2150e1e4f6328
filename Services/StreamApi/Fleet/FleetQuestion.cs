namespace AspireStreaming.StreamApi.Fleet;

/// <summary>What a replica wants to know.</summary>
internal enum FleetSubject
{
    /// <summary>How many subscribers streams have.</summary>
    Subscribers,

    /// <summary>The connections.</summary>
    Connections,

    /// <summary>To end a connection.</summary>
    Close,

    /// <summary>The statistics.</summary>
    Stats,
}

/// <summary>A question that every replica answers for itself.</summary>
/// <param name="Subject">About what.</param>
/// <param name="Streams">Of <see cref="FleetSubject.Subscribers"/>: the streams, at most 1,000.</param>
/// <param name="Connection">Of <see cref="FleetSubject.Close"/>: the connection; of <see cref="FleetSubject.Connections"/>: those after it.</param>
/// <param name="Limit">Of <see cref="FleetSubject.Connections"/>: how many, at most 1,000.</param>
internal sealed record FleetQuestion(FleetSubject Subject, IReadOnlyList<string>? Streams = null, string? Connection = null, int Limit = 0)
{
    /// <summary>Most streams or connections that one question is about.</summary>
    public const int MaxItems = 1_000;

    /// <summary>The statistics.</summary>
    public static FleetQuestion Stats { get; } = new(FleetSubject.Stats);

    /// <summary>Subscribers of streams.</summary>
    public static FleetQuestion Subscribers(params IReadOnlyList<string> streams) => new(FleetSubject.Subscribers, streams);

    /// <summary>Connections after one.</summary>
    public static FleetQuestion Connections(int limit, string? after) => new(FleetSubject.Connections, null, after, limit);

    /// <summary>The end of a connection.</summary>
    public static FleetQuestion Close(string connection) => new(FleetSubject.Close, null, connection);

    /// <summary>Equal for questions that have the same answer.</summary>
    public string Key => $"{Subject} {Limit} {Connection} {(Streams is null ? "" : string.Join(',', Streams))}";
}

/// <summary>A question on its way.</summary>
/// <param name="Id">The asker's number for it.</param>
/// <param name="From">The id of the replica that asks.</param>
/// <param name="Question">What it asks.</param>
internal sealed record FleetCall(long Id, string From, FleetQuestion Question);
