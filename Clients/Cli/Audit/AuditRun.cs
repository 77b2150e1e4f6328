using AspireStreaming.Client;
using AspireStreaming.Client.Http;

namespace AspireStreaming.Cli.Audit;

/// <summary>Audits one stream, or (1) lists all and (2) audits them, a few at a time.</summary>
internal sealed class AuditRun(AuditClient client, AuditSettings settings, IAuditProgress progress, TimeProvider time)
{
    /// <summary>As many as one replica of the service does at once.</summary>
    private const int AtOnce = 4;

    private readonly Retry _retry = new(
        settings.Timeout, time, (fault, delay) => progress.Note($"{Faults.Describe(fault)}; next try in {delay.TotalSeconds:0.0} s"));

    private readonly AuditReport _report = new();

    /// <exception cref="CliException">The stream that was asked for is unknown, or cannot be audited.</exception>
    public async Task<AuditReport> RunAsync(CancellationToken cancellationToken)
    {
        if (settings.Stream is { } stream)
        {
            var answer = await AskAsync(stream, cancellationToken);
            _report.Add(
                answer.Audit ?? throw (answer.Refusal is { } refusal
                    ? new CliException(ExitCode.Failure, refusal)
                    : new CliException(ExitCode.UnknownStream, $"stream '{stream}' is unknown.")),
                list: true);
            return _report;
        }

        await progress.RunAsync(() => AuditAllAsync(cancellationToken));
        _report.Sort();
        return _report;
    }

    private async Task AuditAllAsync(CancellationToken cancellationToken)
    {
        var names = await ListAsync(cancellationToken);
        var done = 0;
        progress.Audited(0, names.Count, 0);
        var options = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(names, options, async (name, token) =>
        {
            var answer = await AskAsync(name, token);
            if (answer.Audit is { } audit)
            {
                _report.Add(audit, list: false);
            }
            else if (answer.Refusal is { } refusal)
            {
                _report.AddNotAudited(name, refusal);
            }

            // A stream that is unknown by now was deleted since it was listed.
            progress.Audited(Interlocked.Increment(ref done), names.Count, _report.StreamsWithFindings);
        });
    }

    private async Task<HashSet<string>> ListAsync(CancellationToken cancellationToken)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);

        // The listing goes from the newest activity down. A stream that gets an event while it is read moves to its top, past the
        // reader; so what takes several pages is read twice.
        if (await ListOnceAsync(names, cancellationToken) > 1)
        {
            await ListOnceAsync(names, cancellationToken);
        }

        return names;
    }

    private async Task<int> ListOnceAsync(HashSet<string> names, CancellationToken cancellationToken)
    {
        string? cursor = null;
        var pages = 0;
        do
        {
            var (page, next) = await _retry.RunAsync(token => client.ListAsync(cursor, token), cancellationToken);
            names.UnionWith(page.Where(static name => StreamName.IsValid(name)));
            progress.Listed(names.Count);
            cursor = next;
            pages++;
        }
        while (cursor is not null);

        return pages;
    }

    private Task<AuditAnswer> AskAsync(string stream, CancellationToken cancellationToken) =>
        _retry.RunAsync(token => client.AuditAsync(stream, token), cancellationToken);
}
