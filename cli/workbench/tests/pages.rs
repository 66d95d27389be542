//! Pages, as files. What they do in a browser is tested by `tests/pages`.
#![allow(missing_docs)]

use eigenscope::analysis::{Engine, EngineOptions, Options, Quiet, Report};
use eigenscope::source::MemoryModel;
use eigenscope::spectrum::Rng;
use eigenscope::tensor::Tensor;
use eigenscope_workbench::pages::{Spectra, is_history, report, series};
use serde_json::{Value, json};

const EVIL: &str = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>";

fn page(layers: usize, side: usize, options: &Options) -> (Report, String) {
    let mut rng = Rng::new(3);
    let mut model = MemoryModel::new();
    for k in 0..layers {
        let values: Vec<f64> = (0..side * side).map(|_| rng.normal()).collect();
        model =
            model.with(format!("{EVIL}.{k}.weight"), Tensor::from_f64(vec![side, side], &values).unwrap());
    }
    let model = model.with("norm.weight", Tensor::from_f64(vec![9], &[1.0; 9]).unwrap()).open(EVIL);
    let (engine, spectra) = (Engine::new(EngineOptions::threads(2)).unwrap(), Spectra::new(options));
    let found = engine.inspect(&model, options, &Quiet, &spectra).unwrap();
    let html = report(&found, spectra);
    (found, html)
}

/// What the page's scripts get.
fn data(html: &str, name: &str) -> Value {
    let start = format!("<script type=\"application/json\" id=\"data-{name}\">");
    let from = html.find(&start).unwrap() + start.len();
    let to = from + html[from..].find("</script>").unwrap();
    serde_json::from_str(&html[from..to]).unwrap()
}

#[test]
fn the_page_holds_the_report_and_a_spectrum_of_every_layer() {
    let (found, html) = page(3, 40, &Options { randomize: true, mp_fit: true, ..Options::default() });
    let data = data(&html, "report");
    assert_eq!(data["rows"].as_array().unwrap().len(), 4);
    assert_eq!(data["rows"][3]["reason"], "norm layer");
    assert_eq!(data["summary"]["alpha"], json!(found.summary.mean("alpha")));
    for (shown, row) in data["rows"].as_array().unwrap().iter().zip(&found.layers).take(3) {
        assert_eq!(shown["name"], row.name.as_str());
        let counts = shown["_view"]["esd"]["counts"].as_array().unwrap();
        let total: u64 = counts.iter().filter_map(Value::as_u64).sum();
        assert!(total > 30 && total <= 40, "{total}");
        assert_eq!(shown["_view"]["fit"].as_array().unwrap().len(), 2);
        assert!(shown["_view"]["scan"].as_array().unwrap().len() > 30);
        assert!(shown["_view"]["random"]["counts"].is_array());
    }
    for column in data["columns"].as_array().unwrap() {
        assert!(!column["doc"].as_str().unwrap().is_empty());
    }
}

#[test]
fn names_from_a_file_stay_in_the_data() {
    let (_, html) = page(2, 12, &Options::default());
    // Three scripts of the page's own, and its data.
    assert_eq!(html.matches("<script").count() - html.matches("\"<script").count(), 4 + echarts_mentions());
    assert!(!html.contains("owned'</script>") && !html.contains("<img src=x"));
    assert!(
        data(&html, "report")["rows"][0]["name"].as_str().unwrap().contains("<img src=x onerror=alert(1)>")
    );
}

/// ECharts has the word in a string or two of its own.
fn echarts_mentions() -> usize {
    let text = eigenscope_workbench::pages::ECHARTS_JS;
    text.matches("<script").count() - text.matches("\"<script").count()
}

#[test]
fn a_page_of_three_hundred_layers_is_small() {
    let (_, html) = page(
        300,
        24,
        &Options { randomize: true, mp_fit: true, detx: true, compare: true, ..Options::default() },
    );
    assert!(html.len() < 6_000_000, "{}", html.len());
    for word in ["http-equiv=\"Content-Security-Policy\"", "default-src 'none'", "lang=\"en\"", "<title>"] {
        assert!(html.contains(word), "{word}");
    }
    // Nothing is loaded from anywhere.
    let own = html.replace(eigenscope_workbench::pages::ECHARTS_JS, "");
    for word in ["src=\"http", "href=\"http", "@import", "url(http"] {
        assert!(!own.contains(word), "{word}");
    }
}

const CSV: &str = "\
step,epoch,name,role,segment,alpha,D,stable_rank,verdict,flags,own:loss
10,1.0,,,,3.5,0.1,8.0,none,,2.25
20,2.0,,,,1.5,0.1,7.0,warn,OVER_TRAINED|TRAPS,1.5
10,1.0,\"fc,1\",weight,0,3.5,0.1,8.0,,,
20,2.0,\"fc,1\",weight,0,1.5,0.1,7.0,,,
";

#[test]
fn a_history_is_read_as_csv_and_as_json() {
    assert!(is_history(CSV.as_bytes()));
    let html = series("run.csv", CSV).unwrap();
    let found = data(&html, "series");
    assert_eq!(found["commits"][1]["flags"], json!(["OVER_TRAINED", "TRAPS"]));
    assert_eq!(found["commits"][0]["metrics"], json!([["loss", 2.25]]));
    assert_eq!(found["layers"][0]["name"], "fc,1");
    assert_eq!(found["layers"][0]["values"]["alpha"], json!([3.5, 1.5]));
    assert_eq!(found["layers"][0]["values"]["norm"], json!([null, null]));
    let history = json!({
        "commits": [{"step": 10, "epoch": 1.0, "level": "warn", "flags": ["TRAPS"], "means": {"alpha": 3.5, "D": null},
            "metrics": [["loss", 2.25]]}],
        "layers": [{"name": EVIL, "role": "weight", "points": [{"step": 10, "epoch": null, "segment": 1,
            "values": {"alpha": 3.5, "D": null}}]}],
    });
    let text = serde_json::to_string_pretty(&history).unwrap();
    assert!(is_history(text.as_bytes()));
    let html = series(EVIL, &text).unwrap();
    assert!(!html.contains("<img src=x"));
    assert_eq!(data(&html, "series")["layers"][0]["name"], EVIL);
}

#[test]
fn what_is_no_history_is_refused_in_words() {
    for (text, word) in [
        ("{}", "missing field `commits`"),
        ("step,epoch\n1,2\n", "the first line is step,epoch"),
        ("step,epoch,name,role\nx,1,,\n", "line 2: 'x' is no step"),
        ("{\"commits\": [], \"layers\": []}", "no commits"),
    ] {
        let error = series("x", text).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert!(!is_history(b"\x80\x02}q"));
    assert!(!is_history(b"{\"model\": 1}"));
}
