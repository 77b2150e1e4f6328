namespace AspireStreaming.StreamApi.Sessions;

/// <summary>Why a message of a session's client was refused, or why a subscription or the session ended.</summary>
/// <param name="Status">As in HTTP.</param>
/// <param name="Slug">The last part of the problem's type.</param>
/// <param name="Title">What it is, the same for all of its type.</param>
/// <param name="Detail">One sentence for the client.</param>
internal sealed record SessionFault(int Status, string Slug, string Title, string Detail)
{
    /// <summary>Seconds after which to try again; 0: that does not help by itself.</summary>
    public int RetryAfterSeconds { get; init; }

    /// <summary>The stream's last position, where that is the reason.</summary>
    public string Current { get; init; } = "";

    /// <summary>The problem's stable type.</summary>
    public string Type => Slug.Contains(':', StringComparison.Ordinal) ? Slug : Problems.Uri(Slug);

    /// <summary>400: the message is not understood.</summary>
    public static SessionFault NotUnderstood(string detail) => new(400, "invalid-message", "The message is not understood", detail);

    /// <summary>400: a member of the message is not valid.</summary>
    public static SessionFault InvalidParameter(string parameter, string detail) =>
        new(400, "invalid-parameter", $"The parameter '{parameter}' is not valid", detail);

    /// <summary>403: the caller may not do that.</summary>
    public static SessionFault Forbidden(string detail) => new(403, "forbidden", "Not allowed", detail);

    /// <summary>404: no open subscription has the name.</summary>
    public static SessionFault UnknownSub(string sub) =>
        new(404, "unknown-sub", "Not found", $"This session has no subscription '{sub}'.");

    /// <summary>409: the name is taken.</summary>
    public static SessionFault RepeatedSub(string sub) =>
        new(409, "repeated-sub", "The name is taken", $"This session has an open subscription or publish '{sub}'.");

    /// <summary>409: another subscription holds the cursor now.</summary>
    public static SessionFault CursorTaken(string cursor) => new(
        409, "cursor-taken", "The cursor was taken over", $"A newer subscription holds the cursor '{cursor}'; this one has ended.");

    /// <summary>413: the message is too large.</summary>
    public static SessionFault TooLarge(int limit) =>
        new(413, "too-large", "The message is too large", $"A message has at most {limit} bytes.");

    /// <summary>429: a limit of the session is reached.</summary>
    public static SessionFault TooMany(string slug, string detail) =>
        new(429, slug, "Too many at a time", detail) { RetryAfterSeconds = 1 };

    /// <summary>503: it cannot be done now.</summary>
    public static SessionFault Unavailable(string slug, string detail, int retryAfterSeconds = 2) =>
        new(503, slug, "Unavailable", detail) { RetryAfterSeconds = retryAfterSeconds };
}
