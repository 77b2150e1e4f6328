using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Statistics;

namespace AspireStreaming.StreamApi.Fleet;

/// <summary>One replica's answer; which part it has, the question says.</summary>
/// <param name="Replica">Id of who answers.</param>
/// <param name="Subscribers">Subscribers of the streams that have any.</param>
/// <param name="Connections">Connections.</param>
/// <param name="Total">How many connections it has in all.</param>
/// <param name="HasMore">Whether there are more connections than it tells.</param>
/// <param name="Closed">Whether the connection was its own, and is ending.</param>
/// <param name="Stats">Statistics.</param>
internal sealed record FleetReply(
    string Replica,
    IReadOnlyDictionary<string, int>? Subscribers = null,
    IReadOnlyList<ConnectionRow>? Connections = null,
    int Total = 0,
    bool HasMore = false,
    bool Closed = false,
    ReplicaStats? Stats = null);

/// <summary>An answer on its way.</summary>
/// <param name="Id">The asker's number for the question.</param>
/// <param name="Reply">The answer.</param>
internal sealed record FleetAnswer(long Id, FleetReply Reply);

/// <summary>What came of a question: this replica's own answer and those of the others.</summary>
/// <param name="Replies">The answers, this replica's first.</param>
/// <param name="Unanswered">Names of those that did not answer in time.</param>
/// <param name="IsPartial">Whether something is missing; also true when it is not known who should have answered.</param>
internal sealed record FleetOutcome(IReadOnlyList<FleetReply> Replies, IReadOnlyList<string> Unanswered, bool IsPartial);
