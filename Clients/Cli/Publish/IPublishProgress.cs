namespace AspireStreaming.Cli.Publish;

/// <summary>Shows how a publication gets on.</summary>
internal interface IPublishProgress
{
    /// <summary>Runs the publication while showing it.</summary>
    Task RunAsync(Func<Task> publication);

    /// <summary>Another batch was acknowledged.</summary>
    void Acknowledged(PublishTotals totals);

    /// <summary>Something that the user may want to know, such as a repeated request.</summary>
    void Note(string message);
}
