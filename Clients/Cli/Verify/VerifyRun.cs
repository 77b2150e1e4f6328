using System.Security.Cryptography;
using System.Text;
using AspireStreaming.Client;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Cli.Verify;

/// <summary>
/// Verifies a stream up to its last position at the start: (1) waits until the archive has it all, (2) reads archive, hot log and
/// what readers get side by side, in order of position, (3) compares them, and (4) checks both ends. Memory grows by about 40 bytes
/// an event, for their identities.
/// </summary>
internal sealed class VerifyRun(CliHost host, StreamApiClient client, VerifySettings settings)
{
    private const int MaxIdentities = 20_000_000;

    private static readonly TimeSpan FirstPoll = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(3);

    private readonly HashSet<UInt128> _identities = [];
    private readonly Retry _retry = new(settings.RetryFor, host.Time, (fault, delay) =>
    {
        if (!settings.Quiet)
        {
            host.WriteNote($"{Faults.Describe(fault)}; next try in {delay.TotalSeconds:0.0} s");
        }
    });

    private long _lastProgress = host.Time.GetTimestamp();

    /// <exception cref="CliException">The stream is unknown.</exception>
    public async Task<VerifyReport> RunAsync(CancellationToken cancellationToken)
    {
        await using var file = settings.File is { } path ? new FileComparison(path) : null;
        var (stream, until, complete) = await WaitForArchiveAsync(cancellationToken);
        var archive = new TierCursor(client, settings.Stream, "archive", until, _retry, host.Time);
        var log = new TierCursor(client, settings.Stream, "log", until, _retry, host.Time);
        var combined = new TierCursor(client, settings.Stream, null, until, _retry, host.Time);
        var report = new VerifyReport(stream)
        {
            Archive = archive.Density,
            Log = log.Density,
            Combined = combined.Density,
            Announced = combined.Gaps,
        };
        if (!complete)
        {
            report.Add(
                "archive-behind", "archive", $"{stream.ArchivedTo}..{until}", $"not archived within {settings.Timeout.TotalSeconds:0.#} s");
        }

        await CompareAsync(archive, log, combined, file, report, cancellationToken);
        foreach (var tier in new[] { archive, log, combined })
        {
            AddHoles(tier, combined.Gaps, report);
        }

        CheckEnds(archive, stream.First, until, report);
        CheckEnds(combined, stream.First, until, report);
        if (file is not null)
        {
            await file.FinishAsync(report, cancellationToken);
        }

        return report;
    }

    private async Task<(StreamInfo Stream, StreamPosition Until, bool Complete)> WaitForArchiveAsync(CancellationToken cancellationToken)
    {
        var started = host.Time.GetTimestamp();
        StreamPosition? until = null;
        for (var poll = FirstPoll; ; poll = poll * 2 < LongestPoll ? poll * 2 : LongestPoll)
        {
            var stream = await _retry.RunAsync(token => client.ReadStreamAsync(settings.Stream, token), cancellationToken)
                ?? throw new CliException(ExitCode.UnknownStream, $"stream '{settings.Stream}' is unknown.");
            until ??= stream.Last;
            if (stream.ArchivedTo >= until)
            {
                return (stream, until.Value, true);
            }

            if (host.Time.GetElapsedTime(started) >= settings.Timeout)
            {
                return (stream, until.Value, false);
            }

            Progress($"waiting for the archive: {stream.ArchivedTo} of {until}");
            await Task.Delay(poll, host.Time, cancellationToken);
        }
    }

    private async Task CompareAsync(
        TierCursor archive,
        TierCursor log,
        TierCursor combined,
        FileComparison? file,
        VerifyReport report,
        CancellationToken cancellationToken)
    {
        await archive.MoveAsync(report, cancellationToken);
        await log.MoveAsync(report, cancellationToken);
        await combined.MoveAsync(report, cancellationToken);
        while (Lowest(archive.Current, log.Current, combined.Current) is { } position)
        {
            var archived = At(archive, position);
            var logged = At(log, position);
            var delivered = At(combined, position);
            if (archived is null)
            {
                var holders = Holders(logged, delivered);
                report.Add("missing", "archive", position.ToString(), $"the event is in {holders} but not in the archive");
            }

            if (delivered is null)
            {
                report.Add("missing", "combined", position.ToString(), "the event is stored but readers do not get it");
            }

            CompareBytes("log", logged, "archive", archived, report);
            CompareBytes("combined", delivered, archived is null ? "log" : "archive", archived ?? logged, report);
            if (delivered is { } item)
            {
                CheckIdentity(item, report);
                if (file is not null)
                {
                    await file.CompareAsync(item, report, cancellationToken);
                }

                Progress($"{combined.Density.Count:N0} events read");
            }

            if (archived is not null)
            {
                await archive.MoveAsync(report, cancellationToken);
            }

            if (logged is not null)
            {
                await log.MoveAsync(report, cancellationToken);
            }

            if (delivered is not null)
            {
                await combined.MoveAsync(report, cancellationToken);
            }
        }
    }

    private void CheckIdentity(StreamEvent item, VerifyReport report)
    {
        // An event that was appended again after a fault says so, and is not a second one.
        if (item.FirstPosition is not null || _identities.Count >= MaxIdentities)
        {
            return;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{item.Source}\n{item.Id}"), hash);
        if (!_identities.Add(BitConverter.ToUInt128(hash)))
        {
            report.Add("duplicate", "combined", item.Position.ToString(), $"the event {item.Id} of {item.Source} occurs more than once");
        }
    }

    private void CheckEnds(TierCursor tier, StreamPosition first, StreamPosition until, VerifyReport report)
    {
        var density = tier.Density;
        if (until == StreamPosition.Zero)
        {
            return;
        }

        if (density.Last is not { } last)
        {
            report.Add("missing", tier.Name, $"{first}..{until}", "no event can be read");
            return;
        }

        if (last < until)
        {
            report.Add("missing", tier.Name, $"{last}..{until}", "the events after the first of these positions cannot be read");
        }

        if (density.First is { } start && (start > first || (start.Sequence > 1 && !settings.AllowTrimmed)))
        {
            report.Add("missing", tier.Name, $"..{start}", "the beginning is missing (--allow-trimmed if retention may have dropped it)");
        }
    }

    private void Progress(string text)
    {
        if (settings.Quiet || host.Time.GetElapsedTime(_lastProgress) < ProgressInterval)
        {
            return;
        }

        _lastProgress = host.Time.GetTimestamp();
        host.Error.WriteLine(text);
    }

    private static void AddHoles(TierCursor tier, IReadOnlyList<StreamGap> announced, VerifyReport report)
    {
        foreach (var hole in tier.Density.Holes)
        {
            var gap = announced.FirstOrDefault(gap => gap.From <= hole.After && gap.To >= hole.To);
            report.Add(
                "hole",
                tier.Name,
                $"{hole.After}..{hole.To}",
                $"{hole.Missing:N0} missing, {(gap is null ? "not announced" : $"announced as a gap ({gap.Reason ?? "no reason"})")}");
        }

        if (tier.Name != "combined")
        {
            return;
        }

        // What is announced as missing is missing, even where arithmetic cannot show it.
        foreach (var gap in announced)
        {
            if (!tier.Density.Holes.Any(hole => gap.From <= hole.After && gap.To >= hole.To))
            {
                report.Add("hole", tier.Name, $"{gap.From}..{gap.To}", $"announced as a gap ({gap.Reason ?? "no reason"})");
            }
        }
    }

    private static void CompareBytes(string tier, StreamEvent? item, string otherTier, StreamEvent? other, VerifyReport report)
    {
        if (item is { } left && other is { } right && !left.Json.Span.SequenceEqual(right.Json.Span))
        {
            report.Add("mismatch", tier, left.Position.ToString(), $"the event differs from the one in the {otherTier}");
        }
    }

    private static StreamEvent? At(TierCursor tier, StreamPosition position) =>
        tier.Current is { } item && item.Position == position ? item : null;

    private static string Holders(StreamEvent? logged, StreamEvent? delivered) =>
        logged is null ? "what readers get" : delivered is null ? "the hot log" : "the hot log and what readers get";

    private static StreamPosition? Lowest(params ReadOnlySpan<StreamEvent?> items)
    {
        StreamPosition? lowest = null;
        foreach (var item in items)
        {
            if (item is { } present && (lowest is null || present.Position < lowest))
            {
                lowest = present.Position;
            }
        }

        return lowest;
    }
}
