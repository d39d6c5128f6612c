//! The page of a fitted network: what it is, how it was fitted, and the curves of its loss.

use crate::html::escape::{NAME, SENTENCE, escape};
use crate::html::figures::{brief, counted_rows};
use crate::html::{page, put};
use crate::svg::{Mark, Plot};

/// What a page of a network shows.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkPage {
    /// The rows that it was fitted on.
    pub rows: u64,
    /// What it is and how it was fitted, each with its name, in words.
    pub figures: Vec<(String, String)>,
    /// The mean loss of the training rows in each epoch, from 1.
    pub training_loss: Vec<f64>,
    /// The mean loss of the validation rows after each epoch; empty without such rows.
    pub validation_loss: Vec<f64>,
    /// The epoch whose weights it has, from 1.
    pub best_epoch: u32,
}

/// A page of a network. One file, self-contained.
#[must_use]
pub fn network_page(title: &str, shown: &NetworkPage) -> String {
    let mut body = String::new();
    put!(
        body,
        "<header><p class=\"eyebrow\">Model</p><h1>{}</h1><p class=\"note\">network fitted on {}</p></header>\
         <section id=\"m0\"><article><h3>Fit</h3><table class=\"figures\"><tbody>",
        escape(title, NAME * 2),
        counted_rows(shown.rows)
    );
    for (title, value) in &shown.figures {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
            escape(title, NAME),
            escape(value, SENTENCE)
        );
    }
    body.push_str("</tbody></table></article>");
    curves(&mut body, shown);
    body.push_str("</section>");
    page::document(title, "training", &body)
}

/// The chart of the losses.
fn curves(body: &mut String, shown: &NetworkPage) {
    let points = |losses: &[f64]| -> Vec<(f64, f64)> {
        let places = (1_u32..).map(f64::from);
        places.zip(losses.iter().copied()).filter(|(_, loss)| loss.is_finite()).collect()
    };
    let (training, validation) = (points(&shown.training_loss), points(&shown.validation_loss));
    if training.len() < 2 {
        return;
    }
    let all = || training.iter().chain(&validation).map(|point| point.1);
    let low = all().fold(f64::INFINITY, |least, loss| if loss < least { loss } else { least });
    let high = all().fold(f64::NEG_INFINITY, |most, loss| if loss > most { loss } else { most });
    let best = f64::from(shown.best_epoch);
    let mut marks = vec![Mark::Line(training.clone(), "path"), Mark::Points(training, "dots")];
    let validated = if validation.is_empty() {
        "the mean loss of the training rows in each epoch, each row when its batch came".to_owned()
    } else {
        marks.push(Mark::Line(validation, "smooth"));
        format!(
            "the mean loss of the training rows in each epoch (dots), each row when its batch came, and of the validation \
             rows after it (line); the dashed line is the epoch whose weights the model has, {}",
            shown.best_epoch
        )
    };
    if !shown.validation_loss.is_empty() {
        marks.push(Mark::Line(vec![(best, low), (best, high)], "rule"));
    }
    let plot = Plot { title: "Loss by epoch", x: "epoch", y: "loss", marks, x_ticks: None, shown: brief };
    put!(
        body,
        "<article><h3>Loss</h3><figure>{}<figcaption>Across, the epochs; up, {validated}.</figcaption></figure>\
         </article>",
        plot.svg()
    );
}
