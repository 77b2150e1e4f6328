using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace AspireStreaming.EventArchiver.Archiving;

/// <summary>Settings of the archiver; section <c>Archiver</c>.</summary>
public sealed class ArchiverOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "Archiver";

    /// <summary>Most events in one transaction, give or take one log entry; 1 to 100,000, default 5,000.</summary>
    [Range(1, 100_000)]
    public int MaxBatchEvents { get; set; } = 5_000;

    /// <summary>Most bytes of events in one transaction, give or take one log entry; 64 KiB to 256 MiB, default 8 MiB.</summary>
    [Range(64 << 10, 256 << 20)]
    public int MaxBatchBytes { get; set; } = 8 << 20;

    /// <summary>
    /// How long events may wait for a batch to fill; 0 to 10 s, default 200 ms. An event after a quiet time is not held back.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan MaxBatchAge { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Most entries of one partition's archive log that one command fetches; 1 to 10,000, default 1,000.</summary>
    [Range(1, 10_000)]
    public int MaxEntriesPerRead { get; set; } = 1_000;

    /// <summary>
    /// Transactions under way at once; 1 to 16, default 2. The partitions are dealt out to as many lanes, each with a batch and a
    /// connection of its own.
    /// </summary>
    [Range(1, 16)]
    public int Lanes { get; set; } = 2;

    /// <summary>How often an idle archive log is looked at first; 1 ms to 10 s, default 50 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:10")]
    public TimeSpan MinPollInterval { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How often it is looked at once it has been idle for a while; default 250 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:10")]
    public TimeSpan MaxPollInterval { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// How long a partition stays claimed by a replica that no longer renews it; 1 s to 10 min, default 10 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan LeaseDuration { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often leases are renewed; at most a third of <see cref="LeaseDuration"/>, default 3 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:03:00")]
    public TimeSpan LeaseRenewal { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long one transaction may take before it counts as failed; 1 s to 10 min, default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan CommitTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a stop may take to commit what is in memory; 0 to 1 min, default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan FlushTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Days after which archived events are dropped, whole UTC days at a time; 1 to 36,500, default null: kept for ever.</summary>
    [Range(1, 36_500)]
    public int? RetentionDays { get; set; }

    /// <summary>
    /// Days for which it is remembered that a stream was deleted: a hot log restored from a backup older than that could bring the
    /// stream back; 1 to 36,500, default 30.
    /// </summary>
    [Range(1, 36_500)]
    public int DeletionMemoryDays { get; set; } = 30;

    /// <summary>For how many days ahead partitions are made; 1 to 30, default 3.</summary>
    [Range(1, 30)]
    public int DaysAhead { get; set; } = 3;

    /// <summary>How often day partitions are made and dropped; 1 s to 1 day, default 15 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan UpkeepInterval { get; set; } = TimeSpan.FromMinutes(15);
}

internal sealed class ArchiverOptionsRules : IValidateOptions<ArchiverOptions>
{
    public ValidateOptionsResult Validate(string? name, ArchiverOptions options)
    {
        var errors = new List<string>();
        if (options.LeaseRenewal > options.LeaseDuration / 3)
        {
            errors.Add(
                $"{ArchiverOptions.SectionName}:{nameof(options.LeaseRenewal)} must be at most a third of "
                + $"{nameof(options.LeaseDuration)} ({options.LeaseDuration}).");
        }

        if (options.MinPollInterval > options.MaxPollInterval)
        {
            errors.Add(
                $"{ArchiverOptions.SectionName}:{nameof(options.MinPollInterval)} must be at most "
                + $"{nameof(options.MaxPollInterval)} ({options.MaxPollInterval}).");
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
